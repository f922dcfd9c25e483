/**
 * BlazeFace, short range: boxes and points of faces from the network's raw output.
 *
 * rankpose_tf/inference/blazeface.py in JavaScript: letterbox, anchors, weighted suppression. A
 * picture is {width, height, data} with RGBA data, a box [left, top, right, bottom], a point
 * [x, y], both in pixels of the picture.
 */

import { overlap } from "./boxes.js";

export const SIZE = 128;
// Eye on the picture's left, on its right, nose, mouth, ear on the picture's left, on its right.
const POINTS = 6;
const VALUES = 4 + 2 * POINTS;
// [stride, anchors at each place] of the two grids that the network looks at.
const GRIDS = [[8, 2], [16, 6]];
const LOGIT_LIMIT = 80;
const SAME_FACE_OVERLAP = 0.3;
export const MINIMUM_SCORE = 0.5;

const ANCHORS = anchors();

/**
 * Faces of a picture, best first.
 *
 * @param run async function Float32Array (SIZE * SIZE * 3) -> [boxes and points, logits].
 * @param input of `letterboxed`.
 * @param quarters of a turn, anticlockwise as seen, that the network sees the picture turned by.
 * @returns array of {box, points, score}, in the picture as it is.
 */
export async function find(run, input, quarters = 0, minimumScore = MINIMUM_SCORE) {
  const { pixels, scale, corner } = input;
  const [raw, logits] = await run(quarters === 0 ? pixels : quarterTurned(pixels, quarters));
  const back = (point) =>
    quarterBack(point, quarters).map((value, axis) => (value - corner[axis]) / scale[axis]);
  return merged(decoded(raw, logits, minimumScore)).map(({ box, points, score }) => {
    const [one, other] = [back(box.slice(0, 2)), back(box.slice(2))];
    const least = one.map((value, axis) => Math.min(value, other[axis]));
    const most = one.map((value, axis) => Math.max(value, other[axis]));
    return { box: [...least, ...most], points: points.map(back), score };
  });
}

/** The square input turned anticlockwise as seen, by quarters of a full turn. */
export function quarterTurned(pixels, quarters) {
  const result = new Float32Array(pixels.length);
  for (let row = 0; row < SIZE; row++) {
    for (let column = 0; column < SIZE; column++) {
      const [x, y] = quarterBack([column + 0.5, row + 0.5], quarters).map(Math.floor);
      const [place, source] = [3 * (row * SIZE + column), 3 * (y * SIZE + x)];
      for (let channel = 0; channel < 3; channel++) result[place + channel] = pixels[source + channel];
    }
  }
  return result;
}

/** A place of the turned input in the input as it is. */
function quarterBack([x, y], quarters) {
  return [[x, y], [SIZE - y, x], [SIZE - x, SIZE - y], [y, SIZE - x]][quarters];
}

function anchors() {
  const centres = [];
  for (const [stride, count] of GRIDS) {
    const places = SIZE / stride;
    for (let i = 0; i < places * places * count; i++) {
      const place = Math.floor(i / count);
      centres.push([((place % places) + 0.5) * stride, (Math.floor(place / places) + 0.5) * stride]);
    }
  }
  return centres;
}

/** Fits a whole picture into the input, centred, black beside it; a place p goes to p * scale + corner. */
export function letterboxed(picture) {
  const sides = [picture.width, picture.height];
  const longer = Math.max(...sides);
  const fitted = sides.map((side) => Math.max(1, roundHalfEven((side * SIZE) / longer)));
  const corner = fitted.map((side) => Math.floor((SIZE - side) / 2));
  const pixels = new Float32Array(SIZE * SIZE * 3).fill(-1);
  const small = resizedByArea(picture, ...fitted);
  for (let row = 0; row < fitted[1]; row++) {
    const place = 3 * ((row + corner[1]) * SIZE + corner[0]);
    for (let i = 0; i < 3 * fitted[0]; i++) {
      pixels[place + i] = small[row * 3 * fitted[0] + i] / 127.5 - 1;
    }
  }
  return { pixels, scale: fitted.map((side, axis) => side / sides[axis]), corner };
}

/** Mean over the area that each pixel covers (cv2.INTER_AREA); whole grey levels, RGB. */
function resizedByArea({ width: columns, height: rows, data }, width, height) {
  const across = areaTaps(columns, width);
  const down = areaTaps(rows, height);
  const sums = new Float64Array(columns * 3);
  const result = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    sums.fill(0);
    for (let tap = down.from[row]; tap < down.from[row + 1]; tap++) {
      const weight = down.weights[tap];
      let place = 4 * down.sources[tap] * columns;
      for (let i = 0; i < sums.length; i += 3, place += 4) {
        sums[i] += weight * data[place];
        sums[i + 1] += weight * data[place + 1];
        sums[i + 2] += weight * data[place + 2];
      }
    }
    joinColumns(sums, across, result, 3 * row * width);
  }
  return result;
}

/** One row of the result, of the weighted sum of the picture's rows. */
function joinColumns(sums, { from, sources, weights }, result, place) {
  for (let column = 0; column + 1 < from.length; column++) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let tap = from[column]; tap < from[column + 1]; tap++) {
      const source = 3 * sources[tap];
      red += weights[tap] * sums[source];
      green += weights[tap] * sums[source + 1];
      blue += weights[tap] * sums[source + 2];
    }
    result[place + 3 * column] = Math.round(red);
    result[place + 3 * column + 1] = Math.round(green);
    result[place + 3 * column + 2] = Math.round(blue);
  }
}

/** Pixel i of the result: weights[t] times pixel sources[t] for t from from[i] to from[i + 1] - 1. */
function areaTaps(before, after) {
  const step = before / after;
  const taps = [];
  const from = new Int32Array(after + 1);
  for (let index = 0; index < after; index++) {
    if (step < 1) taps.push(...enlargingTaps(index, after / before, before));
    else taps.push(...shrinkingTaps(index, step, before));
    from[index + 1] = taps.length;
  }
  const sources = Int32Array.from(taps, ([source]) => source);
  return { from, sources, weights: Float64Array.from(taps, ([, weight]) => weight) };
}

/** The pixels that one of the result covers, each by how much of it. */
function shrinkingTaps(index, step, before) {
  const [start, end] = [index * step, (index + 1) * step];
  const taps = [];
  for (let source = Math.floor(start); source < Math.min(Math.ceil(end), before); source++) {
    const covered = Math.min(end, source + 1) - Math.max(start, source);
    if (covered > 1e-9) taps.push([source, covered / step]);
  }
  return taps;
}

/** Where the result is larger, cv2.INTER_AREA goes from pixel to pixel in a straight line. */
function enlargingTaps(index, factor, before) {
  // In OpenCV's own steps: its rounding decides which pixel a whole place belongs to.
  const source = Math.floor(index * (1 / factor));
  const beyond = Math.fround(index + 1 - (source + 1) * factor);
  const weight = beyond <= 0 ? 0 : beyond - Math.floor(beyond);
  return [[source, 1 - weight], [Math.min(source + 1, before - 1), weight]];
}

/** Network output to faces whose score is high enough; pixels of the input. */
export function decoded(raw, logits, minimumScore) {
  const faces = [];
  for (let index = 0; index < ANCHORS.length; index++) {
    const logit = Math.min(Math.max(logits[index], -LOGIT_LIMIT), LOGIT_LIMIT);
    const score = Math.fround(1 / (1 + Math.exp(-logit)));
    if (score < minimumScore) continue;
    const [x, y] = ANCHORS[index];
    const values = raw.subarray(index * VALUES, (index + 1) * VALUES);
    const [centre, half] = [[values[0] + x, values[1] + y], [values[2] / 2, values[3] / 2]];
    const box = [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]];
    const points = Array.from({ length: POINTS }, (_, k) => [
      values[4 + 2 * k] + x,
      values[5 + 2 * k] + y,
    ]);
    faces.push({ box, points, score });
  }
  return faces;
}

/** Averages the boxes and points of each face, weighted by score; best first. */
export function merged(faces) {
  let left = [...faces].sort((a, b) => b.score - a.score);
  const found = [];
  while (left.length > 0) {
    const best = left[0];
    const isSame = (face) => face === best || overlap(best.box, face.box) > SAME_FACE_OVERLAP;
    const same = left.filter(isSame);
    left = left.filter((face) => !isSame(face));
    const total = same.reduce((sum, face) => sum + face.score, 0);
    const mean = (value) => same.reduce((sum, face) => sum + (face.score / total) * value(face), 0);
    found.push({
      box: best.box.map((_, side) => mean((face) => face.box[side])),
      points: best.points.map((_, k) => [0, 1].map((axis) => mean((face) => face.points[k][axis]))),
      score: best.score,
    });
  }
  return found;
}

function roundHalfEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
