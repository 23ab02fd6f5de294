// SPDX-License-Identifier: GPL-2.0-or-later
// Figures of running machines: asked for together, only for rows in view of a tab in view.
"use strict";

const USAGE_EVERY = 2000;
const USAGE_OLD = 10000;
const figures = new Map();
let asking = false;

async function ask() {
  const cells = [...document.querySelectorAll("[data-usage]")].filter(inView);
  if (document.hidden || asking || cells.length === 0) return;
  asking = true;
  const ids = [...new Set(cells.map((cell) => cell.dataset.usage))].slice(0, 100);
  const found = await fetch("/usage?" + ids.map((id) => "of=" + encodeURIComponent(id)).join("&"))
    .then((answer) => (answer.ok ? answer.json() : {}))
    .catch(() => ({})); // also of an answer that breaks off
  for (const id of ids) figures.set(id, { figures: found[id], time: Date.now() });
  asking = false;
}

// Rows come and go between two answers.
function fill() {
  for (const cell of document.querySelectorAll("[data-usage]")) {
    const known = figures.get(cell.dataset.usage);
    const text = (known && Date.now() - known.time < USAGE_OLD && known.figures?.[cell.dataset.figure]) || "";
    if (cell.textContent !== text) cell.textContent = text;
  }
}

setInterval(ask, USAGE_EVERY);
setInterval(fill, 250);
// Said at first, too: a tab may be opened behind others.
const tellSeen = () => emitEvent("seen", !document.hidden);
document.addEventListener("visibilitychange", tellSeen);
addEventListener("DOMContentLoaded", () => window.socket?.on("connect", tellSeen));
