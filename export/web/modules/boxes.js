/** Boxes of faces: [left, top, right, bottom] in pixels. */

import { PoseError } from "./errors.js";

/** Refuses a box of which no crop can be made, as the package does. */
export function requireBox(box, width, height) {
  const [left, top, right, bottom] = box;
  const hasExtent = box.length === 4 && box.every(Number.isFinite) && left < right && top < bottom;
  const isInside = left < width && top < height && right > 0 && bottom > 0;
  const inShares = box.every((value) => value >= 0 && value <= 1);
  if (hasExtent && isInside && !inShares) return;
  throw new PoseError(
    `The box ${box} is none in this picture: expected left < right and top < bottom in pixels, with a ` +
      `part in its ${width} × ${height}; multiply shares of it by its sides.`,
  );
}

/** Area of the intersection over that of the union, 0..1; 0 where a box is empty. */
export function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  if (!(width > 0 && height > 0)) return 0;
  const shared = width * height;
  return shared / (area(one) + area(other) - shared);
}

function area([left, top, right, bottom]) {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}
