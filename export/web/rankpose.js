/**
 * Head pose in a browser: yaw, pitch and roll of every face in a picture, on this device.
 *
 *     import { HeadPose } from "./rankpose.js";
 *     const headPose = await HeadPose.load();
 *     const faces = await headPose.predict(document.querySelector("img"));
 *
 * Each face is {box: [left, top, right, bottom], score, turn, yaw, pitch, roll}, pixels and
 * degrees. Seen by the camera yaw > 0 turns to the picture's left, pitch > 0 lifts the chin,
 * roll > 0 takes the ear to the person's own left shoulder. What can be mended by a person is
 * thrown as a `PoseError`, whose message says how.
 */

import { SIZE } from "./modules/blazeface.js";
import { requireBox } from "./modules/boxes.js";
import { cropAndResize, squareAround } from "./modules/crop.js";
import { centreAndSide, detect } from "./modules/detection.js";
import { PoseError } from "./modules/errors.js";
import { pixelsOf } from "./modules/pixels.js";
import { Network, start } from "./modules/runtime.js";
import { turnedBack, turnedErrors, uprightSquare } from "./modules/upright.js";

export { draw } from "./modules/draw.js";
export { VideoPoses } from "./modules/tracking.js";
export { PoseError };

const HERE = new URL(".", import.meta.url);
const ANGLES = ["yaw", "pitch", "roll"];
const ERRORS = ANGLES.map((name) => `${name}_error`);

export class HeadPose {
  #pose;
  #detector;

  /**
   * Loads the runtime and the models that lie beside this file.
   *
   * @param folder URL of another folder with description.json and its models.
   */
  static async load(folder = HERE) {
    const headPose = new HeadPose();
    const started = start();
    const description = JSON.parse(new TextDecoder().decode(await fetched("description.json", folder)));
    const files = [description.model.file, description.detector.file];
    const [pose, detector] = await Promise.all([
      ...files.map((file) => fetched(file, folder)),
      started,
    ]);
    headPose.description = description;
    headPose.#pose = await Network.load(pose);
    headPose.#detector = await Network.load(detector);
    await headPose.#warmUp();
    return headPose;
  }

  /** Browsers compile what runs for the first time: not while a user waits for the answer. */
  async #warmUp() {
    const size = this.description.model.input_size;
    await this.predictCrop(new Uint8Array(size * size * 3));
    await this.#look(new Float32Array(SIZE * SIZE * 3));
  }

  /**
   * Poses of the faces in a picture.
   *
   * @param source Blob, ImageData, ImageBitmap, or an img, video or canvas element.
   * @param options {boxes, before}: landmark boxes of the faces, [left, top, right, bottom] pixels;
   *   without them the faces are searched for, whatever way up they are. `before`, of a video: what
   *   `predict` gave for the frame before; it saves time with faces that are hard to find.
   * @returns array of faces, the surest first; empty where none is found.
   */
  async predict(source, { boxes, before = [] } = {}) {
    const { picture, shrink } = await pixelsOf(source);
    const sides = [picture.width, picture.height].map((side) => Math.round(side / shrink));
    boxes?.forEach((box) => requireBox(box, ...sides));
    const faces = boxes
      ? boxes.map((box) => ({ box: box.map((value) => value * shrink), turn: 0, score: null }))
      : await detect(this.#look, picture, this.description.detector.rule, shrunk(before, shrink));
    const found = [];
    for (const { box, turn, score } of faces) {
      const crop = this.crop(picture, box, turn);
      const answer = turnedAnswer(await this.predictCrop(crop), turn);
      found.push({ box: box.map((value) => value / shrink), score, turn, ...answer });
    }
    return found;
  }

  /** The network's input for one face: Uint8Array of size * size * 3, RGB. */
  crop(picture, box, turn = 0) {
    const { input_size: size, crop_scale: scale } = this.description.model;
    if (turn === 0) return cropAndResize(picture, squareAround(box, scale), size);
    const { centre, side } = centreAndSide(box);
    return cropAndResize(...uprightSquare(picture, centre, scale * side, turn, size), size);
  }

  /** The network's answer for what `crop` made: degrees by name. */
  async predictCrop(crop) {
    const size = this.description.model.input_size;
    const values = await this.#pose.run(crop, [1, size, size, 3]);
    return Object.fromEntries(this.#pose.outputs.map((name, index) => [name, values[index][0]]));
  }

  #look = (pixels) => this.#detector.run(pixels, [1, SIZE, SIZE, 3]);
}

function shrunk(faces, shrink) {
  return faces.map((face) => ({ ...face, box: face.box.map((value) => value * shrink) }));
}

/** The answer for the picture as it is, with expected errors where the model has them. */
function turnedAnswer(answer, turn) {
  const changed = (names, change) => {
    const values = change(names.map((name) => answer[name]), turn);
    return Object.fromEntries(names.map((name, index) => [name, values[index]]));
  };
  const errors = ERRORS.every((name) => name in answer) ? changed(ERRORS, turnedErrors) : {};
  return { ...answer, ...changed(ANGLES, turnedBack), ...errors };
}

async function fetched(file, folder) {
  const url = new URL(file, folder);
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) {
    throw new PoseError(
      `${url.pathname} can't be loaded (${answer ? answer.status : "no answer"}). Serve the whole ` +
        "folder that the export wrote, then load this page again.",
    );
  }
  return new Uint8Array(await answer.arrayBuffer());
}
