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
  async surroundings({ picture, centre, side, turn }) {
    const { surroundings } = await load("upright.js");
    const [{ width, data }, shrink] = surroundings(rgba(picture), centre, side, turn);
    // The part around the middle: JSON of the whole would take long.
    const rows = Array.from({ length: 400 }, (_, row) => row + Math.floor(width / 2) - 200);
    return { width, shrink, red: rows.map((row) => rows.map((column) => data[4 * (row * width + column)])) };
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
  async camera({ names, clicks }) {
    const { Camera } = await load("camera.js");
    const machine = machineWith(names);
    const video = { play: async () => {} };
    const camera = new Camera(video);
    const used = [];
    const start = async () => {
      await camera.start();
      used.push(video.srcObject.name);
      camera.stop();
    };
    await start();
    for (let click = 0; click < clicks; click++) {
      await camera.switch();
      await start();
    }
    machine.unplug(used.at(-1));
    await start();
    for (const name of names) machine.unplug(name);
    return { used, none: await start().catch((error) => error.name) };
  },
  async words({ faces }) {
    const { expectedError, spoken } = await load("words.js");
    return faces.map((face, index) => [spoken(face, index), expectedError(face)]);
  },
};

/** Gives this process cameras of these names, as a browser has them. */
function machineWith(names) {
  const there = [...names];
  const mediaDevices = {
    enumerateDevices: async () => there.map((deviceId) => ({ kind: "videoinput", deviceId })),
    getUserMedia: async ({ video }) => {
      const name = video.deviceId?.exact ?? there[0];
      const kind = video.deviceId ? "OverconstrainedError" : "NotFoundError";
      if (!there.includes(name)) throw Object.assign(new Error(), { name: kind });
      const tracks = [{ stop() {}, getSettings: () => ({ deviceId: name }) }];
      return { name, getTracks: () => tracks, getVideoTracks: () => tracks };
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices } });
  return { unplug: (name) => there.includes(name) && there.splice(there.indexOf(name), 1) };
}

/** A picture of {width, height, rgb} with the fourth channel that canvases have. */
function rgba({ width, height, rgb }) {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  rgb.forEach((value, index) => (data[4 * Math.floor(index / 3) + (index % 3)] = value));
  return { width, height, data };
}

process.stdout.write(JSON.stringify(await functions[name](given)));
