/**
 * Times the exported page in headless Chromium; docs/web.md has what it printed.
 *
 *     node tests/web/measure.mjs FOLDER FILM.y4m [CHROMIUM]
 *
 * FOLDER is served by a server of its own. First answers are those of new browsers, from the start
 * of loading to the pose of the example; frames are counted for ten seconds of the film as camera.
 * Beside both stands the processor's time of the page's own process, which other programs on the
 * machine change less than the clock's.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "./browser.mjs";

const [folder, camera, browser = "/usr/bin/chromium"] = process.argv.slice(2);
const PORT = 8791;
const url = `http://localhost:${PORT}/`;
const STARTS = 5;
const SECONDS = 10;
const server = spawn("python3", ["-m", "http.server", "-d", folder, String(PORT)], { stdio: "ignore" });

/** Milliseconds from the start of loading to the first pose of the example. */
async function firstAnswer() {
  const { page, close, processor } = await open({ browser });
  const before = await processor();
  await page.addInitScript(() => {
    addEventListener("DOMContentLoaded", () => {
      new MutationObserver(() => (globalThis.answered ??= performance.now())).observe(
        document.getElementById("rows"),
        { childList: true },
      );
      const press = () => document.getElementById("example").click();
      setTimeout(press, 0);
    });
  });
  await page.goto(url);
  await page.locator("#rows tr").first().waitFor({ timeout: 60_000 });
  const clock = await page.evaluate(() => globalThis.answered);
  const spent = (await processor()) - before;
  await close();
  return { clock, spent };
}

/** Status lines with the film as the camera, and the processor's milliseconds a frame. */
async function pace() {
  const flags = ["--use-fake-ui-for-media-stream"];
  const { page, close, processor } = await open({ browser, url, camera, flags });
  await page.click("#camera");
  const status = page.locator("#status");
  await status.filter({ hasText: "frames/s" }).waitFor({ timeout: 60_000 });
  const seen = [];
  await page.evaluate(() => {
    globalThis.frames = 0;
    new MutationObserver(() => globalThis.frames++).observe(document.getElementById("rows"), {
      childList: true,
    });
  });
  const before = await processor();
  for (let second = 0; second < SECONDS; second++) {
    await page.waitForTimeout(1000);
    seen.push(await status.textContent());
  }
  const frames = await page.evaluate(() => globalThis.frames);
  seen.push(`processor, ms a frame: ${(((await processor()) - before) / frames).toFixed(1)}`);
  await close();
  return seen;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

try {
  await Promise.race([once(server, "spawn"), once(server, "error").then(([e]) => Promise.reject(e))]);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const starts = [];
  for (let i = 0; i < STARTS; i++) starts.push(await firstAnswer());
  for (const name of ["clock", "spent"]) {
    const values = starts.map((start) => Math.round(start[name]));
    console.log(`first answer, ms, ${name}: ${values.join(", ")}; median ${median(values)}`);
  }
  for (const line of await pace()) console.log(line);
} finally {
  server.kill();
}
