/**
 * Angles and rotations; the convention of rankpose_tf/core/pose.py.
 *
 * Seen by the camera x points to the picture's right, y up, z out of the picture. R = Rx(pitch)
 * Ry(yaw) Rz(roll) of 3DDFA takes a point of the head to the camera's axes. Angles are [yaw,
 * pitch, roll] in degrees, rotations three rows of three.
 */

const DEGREE = Math.PI / 180;

/** Rotation of [yaw, pitch, roll] degrees; its columns are the head's axes seen by the camera. */
export function rotationFromAngles(angles) {
  const [cy, cp, cr] = angles.map((angle) => Math.cos(angle * DEGREE));
  const [sy, sp, sr] = angles.map((angle) => Math.sin(angle * DEGREE));
  return [
    [cy * cr, cy * sr, -sy],
    [sp * sy * cr - cp * sr, sp * sy * sr + cp * cr, sp * cy],
    [cp * sy * cr + sp * sr, cp * sy * sr - sp * cr, cp * cy],
  ];
}

/** [yaw, pitch, roll] degrees of a rotation; yaw within +-90, roll 0 where only a sum is known. */
export function anglesFromRotation(r) {
  const cosine = Math.hypot(r[0][0], r[0][1]);
  const locked = cosine < 1e-9;
  const yaw = Math.atan2(-r[0][2], cosine);
  const pitch = locked ? Math.atan2(-r[2][1], r[1][1]) : Math.atan2(r[1][2], r[2][2]);
  // From what pitch leaves, as in pose.py: near the lock both are noise, which then cancels.
  const sp = Math.sin(pitch);
  const cp = Math.cos(pitch);
  const sine = sp * r[2][0] - cp * r[1][0];
  const roll = locked ? 0 : Math.atan2(sine, cp * r[1][1] - sp * r[2][1]);
  return [yaw / DEGREE, pitch / DEGREE, roll / DEGREE];
}

/** Product of two rotations: `other` first, then `one`. */
export function product(one, other) {
  return one.map((row) =>
    [0, 1, 2].map((k) => row[0] * other[0][k] + row[1] * other[1][k] + row[2] * other[2][k]),
  );
}
