/** Runs one function of the page's modules on values from standard input; JSON both ways. */

import { readFileSync } from "node:fs";

const modules = new URL("../../export/web/modules/", import.meta.url);
const load = (name) => import(new URL(name, modules));
const { name, ...given } = JSON.parse(readFileSync(0, "utf8"));

const functions = {
  async crop({ picture, squares, size }) {
    const { cropAndResize } = await load("crop.js");
    return squares.map((square) => [...cropAndResize(rgba(picture), square, size)]);
  },
  async squares({ boxes, scale }) {
    const { squareAround } = await load("crop.js");
    return boxes.map((box) => squareAround(box, scale));
  },
  async smoothing({ sequences }) {
    const { RotationSmoother } = await load("smoothing.js");
    return sequences.map((sequence) => {
      const smoother = new RotationSmoother();
      return sequence.map((measurement) => smoother.filter(...measurement));
    });
  },
  async tracking({ frames }) {
    const { Tracker } = await load("tracking.js");
    const tracker = new Tracker();
    return frames.map((boxes) => tracker.update(boxes));
  },
  async letterbox({ picture }) {
    const { letterboxed } = await load("blazeface.js");
    const { pixels, scale, corner } = letterboxed(rgba(picture));
    return { pixels: [...pixels], scale, corner };
  },
  async decoding({ raw, logits, minimum }) {
    const { decoded, merged } = await load("blazeface.js");
    return merged(decoded(Float32Array.from(raw), logits, minimum));
  },
  async landmark_boxes({ faces, turns, weights }) {
    const { landmarkBox } = await load("detection.js");
    return turns.map((turn) => faces.map((face) => landmarkBox(face, turn, weights).box));
  },
  async upright({ picture, centre, side, turn, size }) {
    const { uprightSquare } = await load("upright.js");
    const { cropAndResize } = await load("crop.js");
    const [upright, square] = uprightSquare(rgba(picture), centre, side, turn, size);
    return [...cropAndResize(upright, square, size)];
  },
  async turned_back({ angles, turns }) {
    const { turnedBack } = await load("upright.js");
    return angles.map((pose, index) => turnedBack(pose, turns[index]));
  },
  async boxes({ boxes, width, height }) {
    const { requireBox } = await load("boxes.js");
    return boxes.map((box) => {
      try {
        return requireBox(box, width, height) ?? null;
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    });
  },
  async turned_errors({ errors, turns }) {
    const { turnedErrors } = await load("upright.js");
    return errors.map((error, index) => turnedErrors(error, turns[index]));
  },
  async video({ frames }) {
    const { VideoPoses } = await load("tracking.js");
    const poses = new VideoPoses();
    return frames.map(([faces, time]) => poses.smooth(faces, time));
  },
  async upright_angles({ faces }) {
    const { uprightAngle } = await load("upright.js");
    return faces.map(uprightAngle);
  },
  async angles({ angles }) {
    const { anglesFromRotation, rotationFromAngles } = await load("pose.js");
    const rotations = angles.map(rotationFromAngles);
    return { rotations, back: rotations.map(anglesFromRotation) };
  },
  async angles_back({ rotations }) {
    const { anglesFromRotation } = await load("pose.js");
    return rotations.map(anglesFromRotation);
  },
  async csv({ frames }) {
    const { Rows } = await load("results.js");
    const rows = new Rows();
    for (const { where, faces } of frames) rows.add(where, faces);
    return rows.csv();
  },
  async words({ faces }) {
    const { expectedError, spoken } = await load("words.js");
    return faces.map((face, index) => [spoken(face, index), expectedError(face)]);
  },
};

/** A picture of {width, height, rgb} with the fourth channel that canvases have. */
function rgba({ width, height, rgb }) {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  rgb.forEach((value, index) => (data[4 * Math.floor(index / 3) + (index % 3)] = value));
  return { width, height, data };
}

process.stdout.write(JSON.stringify(await functions[name](given)));
