/**
 * The crop rule of training; rankpose_tf/core/crop.py in JavaScript, in the same float32 steps.
 *
 * A canvas' drawImage would be shorter, but it resizes in another way: the angles then differ by
 * 0.2 degrees on average and by up to 3.3.
 *
 * A picture is {width, height, data}, data RGBA of 0..255, row after row, as ImageData has it.
 * A box is [left, top, right, bottom] in pixels.
 */

const round32 = Math.fround;
// Added and taken away again, it leaves a float32 rounded to a whole number, halves to even.
const WHOLE = 2 ** 23;

/** Square around a box's centre, `scale` times the box's longer side; [4] pixels. */
export function squareAround(box, scale) {
  const [left, top, right, bottom] = box.map(round32);
  const longer = Math.max(round32(right - left), round32(bottom - top), 1);
  const half = round32(round32(0.5 * round32(scale)) * longer);
  const x = round32(0.5 * round32(left + right));
  const y = round32(0.5 * round32(top + bottom));
  return [x - half, y - half, x + half, y + half].map(round32);
}

/**
 * Cuts a square out of a picture and resizes it, with antialiasing; black outside the picture.
 *
 * @returns Uint8Array of size * size * 3, RGB, rounded to whole grey levels.
 */
export function cropAndResize(picture, square, size) {
  const [left, top, right, bottom] = square.map(round32);
  const across = axisWeights(left, right, size, picture.width);
  const down = axisWeights(top, bottom, size, picture.height);
  const lowered = new Float32Array(across.used * 3);
  const result = new Uint8Array(size * size * 3);
  for (let row = 0; row < size; row++) {
    lowered.fill(0);
    addRows(picture, down, row, across.first, lowered);
    for (let column = 0; column < size; column++) {
      addColumns(lowered, across, column, result, 3 * (row * size + column));
    }
  }
  return result;
}

/** One row of the result before its columns are joined: weighted sum of the picture's rows. */
function addRows(picture, down, row, firstColumn, lowered) {
  const { data, width } = picture;
  for (let tap = down.from[row]; tap < down.to[row]; tap++) {
    const weight = down.weights[row * down.taps + tap];
    let source = 4 * ((down.starts[row] + tap) * width + firstColumn);
    for (let i = 0; i < lowered.length; i += 3, source += 4) {
      lowered[i] = lowered[i] + round32(weight * data[source]);
      lowered[i + 1] = lowered[i + 1] + round32(weight * data[source + 1]);
      lowered[i + 2] = lowered[i + 2] + round32(weight * data[source + 2]);
    }
  }
}

/** One pixel of the result. */
function addColumns(lowered, across, column, result, place) {
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let tap = across.from[column]; tap < across.to[column]; tap++) {
    const weight = across.weights[column * across.taps + tap];
    const source = 3 * (across.starts[column] + tap - across.first);
    red = round32(red + round32(weight * lowered[source]));
    green = round32(green + round32(weight * lowered[source + 1]));
    blue = round32(blue + round32(weight * lowered[source + 2]));
  }
  result[place] = round32(round32(red + WHOLE) - WHOLE);
  result[place + 1] = round32(round32(green + WHOLE) - WHOLE);
  result[place + 2] = round32(round32(blue + WHOLE) - WHOLE);
}

/**
 * Weights of one axis: a triangle that widens as the picture shrinks, 1 in sum.
 *
 * @returns {taps, weights, starts, from, to, first, used}: pixel i of the result is the sum of
 *   weights[i * taps + t] times pixel starts[i] + t for t from from[i] to to[i] - 1; `first` is
 *   the first pixel of the picture that any of them needs, `used` how many from there.
 */
function axisWeights(start, end, size, pixels) {
  const scale = round32(size / round32(end - start));
  const inverse = round32(1 / scale);
  const radius = Math.max(inverse, 1);
  const taps = Math.ceil(2 * radius) + 2;
  const weights = new Float32Array(size * taps);
  const starts = new Int32Array(size);
  const from = new Int32Array(size);
  const to = new Int32Array(size);
  const offset = round32(inverse * round32(-start * scale));
  let first = pixels;
  let last = 0;
  for (let i = 0; i < size; i++) {
    const centre = round32(round32(round32(i + 0.5) * inverse) - offset);
    starts[i] = Math.floor(round32(centre - round32(radius + 0.5)));
    if (centre < 0 || centre > pixels) continue;
    from[i] = Math.max(0, -starts[i]);
    to[i] = Math.max(from[i], Math.min(taps, pixels - starts[i]));
    if (from[i] === to[i]) continue;
    first = Math.min(first, starts[i] + from[i]);
    last = Math.max(last, starts[i] + to[i]);
    fillWeights(weights, i * taps, starts[i], from[i], to[i], centre, radius);
  }
  return { taps, weights, starts, from, to, first, used: Math.max(0, last - first) };
}

function fillWeights(weights, place, start, from, to, centre, radius) {
  const shift = round32(0.5 - centre);
  const slope = round32(-1 / radius);
  let sum = 0;
  for (let tap = from; tap < to; tap++) {
    const distance = Math.abs(round32(start + tap + shift));
    const weight = Math.max(0, round32(round32(distance * slope) + 1));
    weights[place + tap] = weight;
    sum += weight;
  }
  sum = Math.max(round32(sum), 1e-6);
  for (let tap = from; tap < to; tap++) weights[place + tap] /= sum;
}
