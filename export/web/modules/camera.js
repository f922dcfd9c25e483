/** The camera: a stream into a video element, and a call for each of its frames. */

import { PoseError } from "./errors.js";

const WIDTH = 640;
const HEIGHT = 480;

/** Names of the machine's cameras, in its order. */
async function cameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter((one) => one.kind === "videoinput" && one.deviceId).map((one) => one.deviceId);
}

export class Camera {
  #video;
  #stream = null;
  #device = null;

  /** @param video element that plays the camera's pictures. */
  constructor(video) {
    this.#video = video;
  }

  get isOn() {
    return this.#stream !== null;
  }

  /** Turns the camera on; a DOMException or PoseError says why it can't be. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new PoseError(
        "This page may not use a camera here: browsers allow it on https:// addresses and on " +
          "localhost only. Choose a picture, or serve the page in one of these ways.",
      );
    }
    this.#stream = await this.#asked();
    this.#device = this.#stream.getVideoTracks()[0].getSettings().deviceId ?? null;
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  async #asked() {
    const wanted = this.#device ? { deviceId: { exact: this.#device } } : { facingMode: "user" };
    const video = { ...wanted, width: { ideal: WIDTH }, height: { ideal: HEIGHT } };
    try {
      return await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      const isGone = ["OverconstrainedError", "NotFoundError"].includes(error.name);
      if (!this.#device || !isGone) throw error;
      // It was unplugged: any other does.
      this.#device = null;
      return this.#asked();
    }
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = this.#video.srcObject = null;
  }

  /** Names of other cameras than the one in use; the list is complete once one was allowed. */
  async others() {
    return (await cameras()).filter((name) => name !== this.#device);
  }

  /** Takes the next camera of the machine, after the last the first, at the next start. */
  async switch() {
    const names = await cameras();
    if (names.length > 0) this.#device = names[(names.indexOf(this.#device) + 1) % names.length];
  }

  /**
   * Calls `work(video, seconds)` for each new frame, one at a time, until the camera is stopped;
   * frames that come meanwhile are left out.
   *
   * @param lost called when the camera goes away by itself.
   */
  async forEachFrame(work, lost) {
    const stream = this.#stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.#stream === stream && lost());
    while (this.#stream === stream) {
      const time = await this.#nextFrame();
      if (this.#stream === stream) await work(this.#video, time / 1000);
    }
  }

  #nextFrame() {
    return new Promise((resolve) => {
      if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(resolve);
      else requestAnimationFrame(resolve);
    });
  }
}
