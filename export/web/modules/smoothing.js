/**
 * Poses of one face over time without jitter: the One-Euro filter on the rotation.
 *
 * rankpose_tf/prediction/smoothing.py in JavaScript; what it does and why is written there.
 * Angles are [yaw, pitch, roll] degrees, times seconds, quaternions [w, x, y, z].
 */

import { anglesFromRotation } from "./pose.js";

const DEGREE = Math.PI / 180;
const MINIMUM_CUTOFF = 0.5; // Hz, of a face that does not move
const BETA = 0.04; // Hz per degree a second
const DERIVATIVE_CUTOFF = 1.0; // Hz, of the speed
// Degrees: up to the first a measurement counts in full, over the second none comes first.
const BELIEVED = 5;
const DOUBTED = 20;

export class RotationSmoother {
  #time = null;
  #measured;
  #filtered;
  #velocity;

  /**
   * Takes the next measurement and gives the filtered pose.
   *
   * @param error expected of it, the mean of its angles, degrees; null believes it.
   */
  filter(angles, time, error = null) {
    if (!angles.every(Number.isFinite)) return angles;
    if (this.#time === null && error > DOUBTED) return angles;
    let measured = quaternion(angles);
    if (this.#time === null || time < this.#time) {
      this.#velocity = [0, 0, 0];
      this.#time = time;
      this.#measured = this.#filtered = measured;
      return angles;
    }
    if (error > BELIEVED) {
      const part = turn(this.#filtered, measured).map((axis) => (BELIEVED / error) ** 2 * axis);
      measured = product(this.#filtered, fromVector(part));
    }
    if (time > this.#time) {
      this.#step(measured, time - this.#time);
      this.#time = time;
      this.#measured = measured;
    }
    return anglesOf(this.#filtered);
  }

  #step(measured, seconds) {
    const share = alpha(DERIVATIVE_CUTOFF, seconds);
    const speed = turn(this.#measured, measured).map((part) => part / DEGREE / seconds);
    this.#velocity = this.#velocity.map((old, axis) => old + share * (speed[axis] - old));
    const cutoff = MINIMUM_CUTOFF + BETA * Math.hypot(...this.#velocity);
    const weight = alpha(cutoff, seconds);
    const part = turn(this.#filtered, measured).map((axis) => weight * axis);
    const moved = product(this.#filtered, fromVector(part));
    // Rounding errors of millions of products would otherwise add up.
    const length = Math.hypot(...moved);
    this.#filtered = moved.map((value) => value / length);
  }
}

/** Weight of the newest value in a first-order low-pass filter of `cutoff` Hz. */
function alpha(cutoff, seconds) {
  return 1 / (1 + 1 / (2 * Math.PI * cutoff * seconds));
}

/** Of Rx(pitch) Ry(yaw) Rz(roll); the convention's turns are clockwise, hence the minus. */
function quaternion(angles) {
  const [yaw, pitch, roll] = angles.map((angle) => -angle * DEGREE);
  const first = product(fromVector([pitch, 0, 0]), fromVector([0, yaw, 0]));
  return product(first, fromVector([0, 0, roll]));
}

function anglesOf([w, x, y, z]) {
  return anglesFromRotation([
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ]);
}

/** Quaternion of the turn `other` followed by `one`. */
function product([a, b, c, d], [w, x, y, z]) {
  return [
    a * w - b * x - c * y - d * z,
    a * x + b * w + c * z - d * y,
    a * y - b * z + c * w + d * x,
    a * z + b * y - c * x + d * w,
  ];
}

/** Quaternion of a rotation vector, radians. */
function fromVector(vector) {
  const half = Math.hypot(...vector) / 2;
  const factor = half === 0 ? 0.5 : Math.sin(half) / half / 2;
  return [Math.cos(half), ...vector.map((part) => part * factor)];
}

/** Rotation vector, radians, of the shortest turn from `start` to `end`. */
function turn([w, x, y, z], end) {
  const between = product([w, -x, -y, -z], end);
  // q and -q are one rotation; of the two turns the one under 180 degrees is meant.
  const sign = between[0] < 0 ? -1 : 1;
  const vector = between.slice(1).map((part) => sign * part);
  const sine = Math.hypot(...vector);
  if (sine < 1e-12) return [0, 0, 0];
  const factor = (2 * Math.atan2(sine, sign * between[0])) / sine;
  return vector.map((part) => part * factor);
}
