/**
 * Faces that lie on their side: the picture is turned upright around them, and the answer back.
 *
 * The network saw few faces rolled by more than 30 degrees. The rule, which docs/web.md has in
 * full: with the points e_1, e_2 of the eyes (picture's left and right once upright) and m of the
 * mouth, pixels, y down, d = m - (e_1 + e_2) / 2 and v = e_2 - e_1 + (d_y, -d_x),
 *
 *     angle = atan2(v_y, v_x)                degrees, clockwise as seen; 0 for an upright face
 *     turn  = angle if |angle| > 25, else 0
 *     R     = Rz(turn) R'                    R': the network's answer for the picture turned by -turn
 *
 * with Rz(turn) the rotation of the pose (0, 0, turn). The eyes alone would do for a face seen from
 * the front; of a profile they lie behind each other, and the line through them says nothing.
 */

import { anglesFromRotation, product, rotationFromAngles } from "./pose.js";

const DEGREE = Math.PI / 180;
// Up to here the network's answers for turned and for unturned faces are as good.
export const UPRIGHT_LIMIT = 25;
// Sides of what is turned, pixels: a larger face is shrunk by a whole factor before, which its
// crop would do anyway. It bounds the memory and time that a large face takes.
const LARGEST = 2048;

/** By how much a face is turned from upright, degrees within +-180, clockwise as seen. */
export function uprightAngle([one, other, , mouth]) {
  const [dx, dy] = [0, 1].map((axis) => mouth[axis] - (one[axis] + other[axis]) / 2);
  return Math.atan2(other[1] - one[1] - dx, other[0] - one[0] + dy) / DEGREE;
}

/** A point turned around the origin, `degrees` clockwise as seen (y down). */
export function turnedPoint([x, y], degrees) {
  const [c, s] = [Math.cos(degrees * DEGREE), Math.sin(degrees * DEGREE)];
  return [c * x - s * y, s * x + c * y];
}

/**
 * The square around a place, turned upright; of more than 2048 pixels it is shrunk.
 *
 * @param centre [x, y] of the square; @param side its side, pixels.
 * @param margin as much is added on each side, pixels.
 * @returns [picture, shrink]: shrink pixels of the given picture are one of the result.
 */
export function surroundings(picture, centre, side, turn, margin = 0) {
  const shrink = Math.max(1, Math.ceil(side / LARGEST));
  const pixels = Math.ceil(side / shrink) + 2 * Math.ceil(margin / shrink);
  if (shrink === 1) return [turnedPicture(picture, centre, pixels, turn), shrink];
  const [part, corner] = shrunkPart(picture, centre, shrink * pixels, shrink);
  const middle = centre.map((place, axis) => (place - corner[axis]) / shrink);
  return [turnedPicture(part, middle, pixels, turn), shrink];
}

/** The part of a picture that a turned square can reach, shrunk; and its corner [x, y], pixels. */
function shrunkPart({ width, height, data }, centre, side, shrink) {
  const reach = side / Math.SQRT2 + 2 * shrink;
  const sides = [width, height];
  const first = sides.map((length, axis) => within(Math.floor(centre[axis] - reach), 0, length - 1));
  const end = sides.map((length, axis) => within(Math.ceil(centre[axis] + reach), first[axis] + 1, length));
  // Whole blocks of pixels, so that places stay where they are; black fills the last ones.
  const [columns, rows] = [0, 1].map((axis) => Math.ceil((end[axis] - first[axis]) / shrink));
  const means = new Uint8ClampedArray(4 * columns * rows);
  const sums = new Float64Array(4 * columns);
  for (let row = first[1]; row < end[1]; row++) {
    let source = 4 * (row * width + first[0]);
    for (let column = 0; column < end[0] - first[0]; column++) {
      const place = 4 * Math.floor(column / shrink);
      for (let channel = 0; channel < 4; channel++) sums[place + channel] += data[source++];
    }
    const block = Math.floor((row - first[1]) / shrink);
    if ((row + 1 - first[1]) % shrink > 0 && row + 1 < end[1]) continue;
    for (let i = 0; i < sums.length; i++) means[block * sums.length + i] = sums[i] / shrink ** 2;
    sums.fill(0);
  }
  return [{ width: columns, height: rows, data: means }, first];
}

function within(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

/**
 * The surroundings of a face, turned upright, at the picture's own scale.
 *
 * Place (u, v) of the result is place centre + turned((u, v) - pixels / 2, turn) of the picture,
 * between pixels in straight lines, black outside. Places count from the picture's corner, so the
 * first pixel's centre is at (0.5, 0.5).
 *
 * @param centre [x, y] in the picture, which becomes the middle of the result.
 * @param pixels side of the result.
 * @param turn degrees.
 * @returns {width, height, data} RGBA.
 */
function turnedPicture(picture, centre, pixels, turn) {
  const data = new Uint8ClampedArray(4 * pixels * pixels);
  const [stepX, stepY] = turnedPoint([1, 0], turn);
  for (let row = 0; row < pixels; row++) {
    const [x, y] = turnedPoint([0.5 - pixels / 2, row + 0.5 - pixels / 2], turn);
    for (let column = 0; column < pixels; column++) {
      const place = 4 * (row * pixels + column);
      const left = centre[0] + x + column * stepX - 0.5;
      between(picture, left, centre[1] + y + column * stepY - 0.5, data, place);
    }
  }
  return { width: pixels, height: pixels, data };
}

/** Writes the colour at (x, y), counted from the first pixel's centre. */
function between({ width, height, data }, x, y, result, place) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [right, down] = [x - column, y - row];
  if (column < -1 || row < -1 || column >= width || row >= height) return;
  const weights = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down];
  for (let corner = 0; corner < 4; corner++) {
    const [c, r] = [column + (corner & 1), row + (corner >> 1)];
    if (c < 0 || r < 0 || c >= width || r >= height) continue;
    const source = 4 * (r * width + c);
    for (let channel = 0; channel < 3; channel++) {
      // Whole only at the end: four rounded parts would lose up to two grey levels.
      SUM[channel] += weights[corner] * data[source + channel];
    }
  }
  result[place] = SUM[0];
  result[place + 1] = SUM[1];
  result[place + 2] = SUM[2];
  result[place + 3] = 255;
  SUM.fill(0);
}
const SUM = new Float64Array(3);

/**
 * A face's square, turned upright, for `cropAndResize`.
 *
 * @param centre [x, y] of the square; @param side its side, pixels.
 * @param size of the crop that will be made: a pixel of it is left on each side as a margin.
 * @returns [picture, square] of the upright picture.
 */
export function uprightSquare(picture, centre, side, turn, size) {
  const [upright, shrink] = surroundings(picture, centre, side, turn, side / size);
  const [start, end] = [-1, 1].map((sign) => (upright.width + (sign * side) / shrink) / 2);
  return [upright, [start, start, end, end]];
}

/** Expected errors in the picture of those in its upright part: a turn mixes yaw's and pitch's. */
export function turnedErrors([yaw, pitch, roll], turn) {
  const [c, s] = [Math.cos(turn * DEGREE), Math.sin(turn * DEGREE)];
  return [Math.hypot(c * yaw, s * pitch), Math.hypot(s * yaw, c * pitch), roll];
}

/** The pose in the picture of a pose in its upright part: R = Rz(turn) R'. */
export function turnedBack(angles, turn) {
  if (turn === 0) return angles;
  const rotation = product(rotationFromAngles([0, 0, turn]), rotationFromAngles(angles));
  return anglesFromRotation(rotation);
}
