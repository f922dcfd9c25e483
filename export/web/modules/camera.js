/** The camera: a stream into a video element, and a call for each of its frames. */

import { PoseError } from "./errors.js";

const WIDTH = 640;
const HEIGHT = 480;

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
    const wanted = this.#device ? { deviceId: { exact: this.#device } } : { facingMode: "user" };
    const video = { ...wanted, width: { ideal: WIDTH }, height: { ideal: HEIGHT } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    this.#device = this.#stream.getVideoTracks()[0].getSettings().deviceId ?? null;
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = this.#video.srcObject = null;
  }

  /** Other cameras than the one in use; the list is complete once one was allowed. */
  async others() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
    return cameras.filter((device) => device.deviceId !== this.#device);
  }

  /** Takes the next camera of the machine at the next start. */
  async switch() {
    const [next] = await this.others();
    if (next) this.#device = next.deviceId;
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
