/** What a person can do something about: one or two sentences that say what. */
export class PoseError extends Error {
  name = "PoseError";
}
