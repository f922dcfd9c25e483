/** What tests/web/test_page.py asks of the page in a browser; JSON on standard input and output. */

import { readFileSync } from "node:fs";
import { open } from "./browser.mjs";

const given = JSON.parse(readFileSync(0, "utf8"));
const LONG = { timeout: 60_000 };

/** Text of what a user sees after an answer. */
async function told(page) {
  const text = (id) => page.locator(`#${id}`).textContent();
  return {
    status: await text("status"),
    alert: (await text("alert")).trim(),
    spoken: await text("spoken"),
    rows: (await page.locator("#rows").innerText()).split("\n").filter(Boolean),
  };
}

async function waitForStatus(page, pattern) {
  await page.locator("#status").filter({ hasText: pattern }).waitFor(LONG);
}

async function waitForAlert(page) {
  await page.locator("#alert").waitFor({ state: "visible", ...LONG });
}

/** Content of what a click downloads. */
async function downloaded(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return { name: download.suggestedFilename(), base64: readFileSync(await download.path(), "base64") };
}

const scenarios = {
  /** A picture by one of the ways in; options.files are {name, mimeType, base64}. */
  async picture({ page }, { files, way = "choose", shape, screenshot }) {
    if (way === "example") await page.click("#example");
    else if (way === "choose") await page.setInputFiles("#file", files.map(upload));
    else await page.evaluate(transfer, { files, way });
    await page.locator("#status").filter({ hasText: /face|^$/ }).waitFor(LONG);
    if (shape) await page.check(`input[value=${shape}]`);
    if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
    const answer = await told(page);
    if (answer.rows.length === 0) return answer;
    return { ...answer, csv: await downloaded(page, "#csv"), drawn: await downloaded(page, "#save") };
  },

  /** Files that each give a trouble, each followed by one that does not. */
  async broken({ page }, { files, good }) {
    const answers = [];
    for (const file of files) {
      await page.setInputFiles("#file", [upload(file)]);
      await waitForAlert(page);
      const before = await told(page);
      await page.setInputFiles("#file", good.map(upload));
      await page.locator("#alert").waitFor({ state: "hidden", ...LONG });
      await waitForStatus(page, "face");
      answers.push({ before, after: await told(page) });
    }
    return answers;
  },

  /** The camera for some frames, then stopped. */
  async camera({ page }, { frames, screenshot }) {
    await page.click("#camera");
    await waitForStatus(page, "frames/s");
    const pressed = await page.getAttribute("#camera", "aria-pressed");
    await page.waitForTimeout(frames * 40);
    if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
    const during = await told(page);
    await page.click("#camera");
    const label = await page.textContent("#camera");
    return { during, pressed, label, csv: await downloaded(page, "#csv"), drawn: await downloaded(page, "#save") };
  },

  /** Two pictures one after the other, of which the first, slow.png, takes a second to decode. */
  async overtaken({ page }, { files }) {
    await waitForStatus(page, "Ready");
    await page.evaluate(() => {
      const decode = createImageBitmap;
      globalThis.createImageBitmap = async (blob, ...others) => {
        if (blob.name === "slow.png") await new Promise((done) => setTimeout(done, 1000));
        return decode(blob, ...others);
      };
    });
    for (const file of files) await page.setInputFiles("#file", [upload(file)]);
    await waitForStatus(page, "face");
    await page.waitForTimeout(2000);
    return { ...(await told(page)), csv: await downloaded(page, "#csv") };
  },

  /** The camera asked for twice while the browser still asks the user; states of all its tracks. */
  async twice({ page }) {
    await waitForStatus(page, "Ready");
    await page.evaluate(() => {
      globalThis.streams = [];
      const devices = navigator.mediaDevices;
      const ask = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => {
        await new Promise((done) => setTimeout(done, 300));
        streams.push(await ask(wanted));
        return streams.at(-1);
      };
      for (let i = 0; i < 2; i++) document.getElementById("camera").click();
    });
    await waitForStatus(page, "frames/s");
    await page.waitForTimeout(500);
    await page.click("#camera");
    return page.evaluate(() => streams.flatMap((one) => one.getTracks().map((t) => t.readyState)));
  },

  /** The camera turned off, or off and on again, while the network is still being loaded. */
  async hasty({ page }, { clicks }) {
    for (let click = 0; click < clicks; click++) {
      await page.click("#camera");
      const isOn = String(click % 2 === 0);
      await page.locator(`#camera[aria-pressed=${isOn}]`).waitFor(LONG);
    }
    await page.evaluate(() => release());
    await waitForStatus(page, clicks % 2 ? "frames/s" : "Ready");
    await page.waitForTimeout(1000);
    const [answer, isHidden] = [await told(page), await page.locator("#switch").isHidden()];
    if (clicks % 2 === 0) return { ...answer, isHidden };
    await page.click("#camera");
    return { ...answer, csv: await downloaded(page, "#csv") };
  },

  /** A camera that can't be used. */
  async noCamera({ page }) {
    await page.click("#camera");
    await waitForAlert(page);
    return told(page);
  },

  /** A page that can't start. */
  async notStarted({ page }) {
    await waitForAlert(page);
    return told(page);
  },

  /** By keyboard alone: which elements get the focus, and the example opened with Enter. */
  async keyboard({ page }) {
    await waitForStatus(page, "Ready");
    const order = [];
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press("Tab");
      order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.name));
      if (order.at(-1) === "example") await page.keyboard.press("Enter");
    }
    await waitForStatus(page, "face");
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, input:not([hidden]), canvas, table, section")]
        .filter((e) => !(e.textContent || e.labels?.[0]?.textContent || e.ariaLabel))
        .map((e) => e.outerHTML.slice(0, 80)),
    );
    return { order, unnamed, ...(await told(page)) };
  },

  /** Each window {scheme, screenshot}: what is wider than it, how small the buttons are. */
  async layout({ page }, { windows }) {
    const answers = [];
    for (const { scheme, screenshot } of windows) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.reload();
      await page.click("#example");
      await waitForStatus(page, "face");
      await page.screenshot({ path: screenshot, fullPage: true });
      answers.push(
        await page.evaluate(() => ({
          overflow: document.documentElement.scrollWidth - innerWidth,
          buttons: [...document.querySelectorAll("button:not([hidden])")].map((b) => b.offsetHeight),
          ground: getComputedStyle(document.body).backgroundColor,
        })),
      );
    }
    return answers;
  },

  /** Poses by the module, as another page would use it: files {base64, boxes or null, isFilm}. */
  async module({ page }, { files }) {
    return page.evaluate(async (inPage) => {
      const { HeadPose } = await import("./rankpose.js");
      const headPose = await HeadPose.load();
      const faces = [];
      for (const { base64, boxes, isFilm } of inPage) {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const before = isFilm ? faces.at(-1) : [];
        faces.push(await headPose.predict(new Blob([bytes]), boxes ? { boxes } : { before }));
      }
      return faces;
    }, files);
  },

  /** What the browser itself does with a request to another origin. */
  async foreign({ page }) {
    return page.evaluate(async () => {
      const blocked = [];
      document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.blockedURI));
      await fetch("http://127.0.0.1:9/").catch(() => {});
      const image = new Image();
      image.src = "http://127.0.0.1:9/a.png";
      await new Promise((resolve) => setTimeout(resolve, 300));
      return blocked;
    });
  },
};

function upload({ name, mimeType, base64 }) {
  return { name, mimeType, buffer: Buffer.from(base64, "base64") };
}

/** Runs in the page: a drop or a paste of files. */
function transfer({ files, way }) {
  const data = new DataTransfer();
  for (const { name, mimeType, base64 } of files) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, { type: mimeType }));
  }
  const event =
    way === "paste"
      ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
      : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.getElementById("stage").dispatchEvent(event);
}

const BEFORE = {
  noSimd: () => (WebAssembly.validate = () => false),
  slow: () => {
    const ask = globalThis.fetch;
    const released = new Promise((done) => (globalThis.release = done));
    globalThis.fetch = (...what) => released.then(() => ask(...what));
  },
  noDevices: () => Object.defineProperty(navigator, "mediaDevices", { value: undefined }),
  notFound: () => {
    const lost = () => Promise.reject(new DOMException("none", "NotFoundError"));
    navigator.mediaDevices.getUserMedia = lost;
  },
};

const visit = await open({ ...given, before: BEFORE[given.before] });
try {
  const answer = await scenarios[given.scenario](visit, given);
  const { requests, complaints } = visit;
  process.stdout.write(JSON.stringify({ answer, requests, complaints }));
} finally {
  await visit.close();
}
