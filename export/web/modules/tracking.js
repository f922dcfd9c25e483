/**
 * Faces over time: which face is which from frame to frame, each smoothed by itself.
 *
 * rankpose_tf/prediction/tracking.py in JavaScript.
 */

import { overlap } from "./boxes.js";
import { RotationSmoother } from "./smoothing.js";
import { expectedError } from "./words.js";

const SMALLEST_OVERLAP = 0.3;
const KEEP_FRAMES = 15;
// Weight of the newest step in a face's speed.
const NEWEST_STEP = 0.3;

/** A known face: where it was seen last, its movement in pixels a frame, and for how long unseen. */
class Face {
  constructor(box, step = [0, 0], certainty = 0) {
    Object.assign(this, { box, step, certainty, unseen: 0 });
  }

  /** Where it is in the next frame, if it goes on as it did. */
  expected() {
    return this.box.map((side, index) => side + this.step[index % 2] * (this.unseen + 1));
  }

  /** The face after the next frame, in which it has `box`. */
  seen(box) {
    const certainty = this.certainty + NEWEST_STEP * (1 - this.certainty);
    const step = this.step.map((old, axis) => {
      const moved = (box[axis] - this.box[axis] + (box[axis + 2] - this.box[axis + 2])) / 2;
      return old + (NEWEST_STEP / certainty) * (moved / (this.unseen + 1) - old);
    });
    return new Face(box, step, certainty);
  }
}

/** Numbers faces so that a face keeps its number; numbers are never used again. */
export class Tracker {
  // Number of a face -> `Face`.
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
      if (face.unseen < KEEP_FRAMES) face.unseen += 1;
      else this.#known.delete(number);
    }
    return boxes.map((box, index) => {
      const isKnown = joined.has(index);
      const number = isKnown ? joined.get(index) : this.#next++;
      this.#known.set(number, isKnown ? this.#known.get(number).seen(box) : new Face(box));
      return number;
    });
  }

  /** Index of a box -> number of the known face it is joined to. */
  #join(boxes) {
    const joined = new Map();
    // Where a face is expected first, then where it was, for one that stood still.
    for (const place of [(face) => face.expected(), (face) => face.box]) {
      this.#joinPlaces(boxes, place, joined);
    }
    return joined;
  }

  /** Joins what is not joined yet: greatest overlap first. */
  #joinPlaces(boxes, place, joined) {
    const pairs = [];
    const taken = new Set(joined.values());
    // Older faces first, then earlier boxes: the sort is stable.
    for (const number of this.known.sort((a, b) => a - b)) {
      if (taken.has(number)) continue;
      const expected = place(this.#known.get(number));
      boxes.forEach((box, index) => {
        if (!joined.has(index)) pairs.push({ number, index, shared: overlap(expected, box) });
      });
    }
    pairs.sort((a, b) => b.shared - a.shared);
    for (const { number, index, shared } of pairs) {
      if (shared < SMALLEST_OVERLAP) break;
      if (joined.has(index) || taken.has(number)) continue;
      joined.set(index, number);
      taken.add(number);
    }
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
      const filtered = this.#smoothers.get(number).filter(angles, time, expectedError(face));
      if (!smoothing) return { ...face, number };
      const [yaw, pitch, roll] = filtered;
      return { ...face, number, yaw, pitch, roll };
    });
    return smoothed.sort((a, b) => a.number - b.number);
  }
}
