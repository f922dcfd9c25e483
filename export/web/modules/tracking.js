/**
 * Faces over time: which face is which from frame to frame, each smoothed by itself.
 *
 * rankpose_tf/prediction/tracking.py in JavaScript.
 */

import { overlap } from "./boxes.js";
import { RotationSmoother } from "./smoothing.js";

const SMALLEST_OVERLAP = 0.3;
const KEEP_FRAMES = 15;

/** Numbers faces so that a face keeps its number; numbers are never used again. */
export class Tracker {
  // Number of a face -> its last box and the frames since.
  #known = new Map();
  #next = 0;

  /** Numbers of the faces that a box of the next frame may be joined to. */
  get known() {
    return [...this.#known.keys()];
  }

  /** Takes the boxes of the next frame, gives the faces' numbers. */
  update(boxes) {
    const joined = this.#join(boxes);
    const seen = new Set(joined.values());
    for (const [number, face] of this.#known) {
      if (seen.has(number)) continue;
      if (face.missing < KEEP_FRAMES) face.missing += 1;
      else this.#known.delete(number);
    }
    return boxes.map((box, index) => {
      const number = joined.has(index) ? joined.get(index) : this.#next++;
      this.#known.set(number, { box, missing: 0 });
      return number;
    });
  }

  /** Index of a box -> number of the known face it is joined to: greatest overlap first. */
  #join(boxes) {
    const pairs = [];
    // Older faces first, then earlier boxes: the sort is stable.
    for (const number of this.known.sort((a, b) => a - b)) {
      boxes.forEach((box, index) => {
        pairs.push({ number, index, shared: overlap(this.#known.get(number).box, box) });
      });
    }
    pairs.sort((a, b) => b.shared - a.shared);
    const joined = new Map();
    const taken = new Set();
    for (const { number, index, shared } of pairs) {
      if (shared < SMALLEST_OVERLAP) break;
      if (joined.has(index) || taken.has(number)) continue;
      joined.set(index, number);
      taken.add(number);
    }
    return joined;
  }
}

/** A tracker, and a smoother for each face it knows. */
export class VideoPoses {
  #tracker = new Tracker();
  #smoothers = new Map();

  /**
   * Takes the faces of the next frame; frames without faces have to be given too.
   *
   * @param faces as HeadPose.predict gives them.
   * @param time seconds.
   * @param smoothing false leaves the angles as they are; the filter goes on all the same.
   * @returns the faces with their `number`, angles smoothed, in the order of the numbers.
   */
  smooth(faces, time, smoothing = true) {
    const numbers = this.#tracker.update(faces.map((face) => face.box));
    const known = new Set(this.#tracker.known);
    for (const number of this.#smoothers.keys()) {
      if (!known.has(number)) this.#smoothers.delete(number);
    }
    const smoothed = faces.map((face, index) => {
      const number = numbers[index];
      if (!this.#smoothers.has(number)) this.#smoothers.set(number, new RotationSmoother());
      const angles = [face.yaw, face.pitch, face.roll];
      const filtered = this.#smoothers.get(number).filter(angles, time);
      if (!smoothing) return { ...face, number };
      const [yaw, pitch, roll] = filtered;
      return { ...face, number, yaw, pitch, roll };
    });
    return smoothed.sort((a, b) => a.number - b.number);
  }
}
