// SPDX-License-Identifier: GPL-2.0-or-later
// What the server's pages cannot do: know which rows are in view, and keys that work everywhere.
"use strict";

// Pictures of screens: only those in view, of a page that is in view, each every ten seconds.
// They are kept by address, for rows that go from view and come again.
const RENEW = 10000;
const kept = new Map();

function inView(image) {
  const place = image.getBoundingClientRect();
  return place.bottom > 0 && place.top < innerHeight && image.offsetParent !== null;
}

async function renew(address, last) {
  kept.set(address, { url: last?.url, time: Date.now() });
  const picture = await fetch(address)
    .then((answer) => (answer.ok ? answer.blob() : null))
    .catch(() => null);
  const url = picture ? URL.createObjectURL(picture) : undefined;
  kept.set(address, { url, time: Date.now() });
  for (const image of document.querySelectorAll("img[data-screen]")) if (image.dataset.screen === address) show(image);
  if (last?.url) URL.revokeObjectURL(last.url);
}

function show(image) {
  const url = kept.get(image.dataset.screen)?.url;
  if (!url) image.removeAttribute("src");
  else if (image.src !== url) image.src = url;
}

function look(image) {
  const last = kept.get(image.dataset.screen);
  if (!last || Date.now() - last.time > RENEW) renew(image.dataset.screen, last);
  show(image);
}

setInterval(() => {
  if (document.hidden) return;
  for (const image of document.querySelectorAll("img[data-screen]")) if (inView(image)) look(image);
}, 500);

// A row that goes to another place among the others keeps the focus, which a browser takes from what is moved. From what
// is gone it goes to what is left around it: the device of a button, for example, that was removed in a dialog.
const REACHED = "a[href], button:not([disabled]), input:not([disabled]), [tabindex='0']";
let left = null;
let around = [];

addEventListener("focusin", (event) => {
  if (event.target.closest("[id^=q-portal]")) return; // a dialog, which is there for something on the page
  around = [];
  for (let place = event.target; place !== document.body && place; place = place.parentElement) around.push(place);
});

function next() {
  for (const place of around)
    for (const found of place.isConnected ? place.querySelectorAll(REACHED) : []) if (found.offsetParent) return found;
  return null;
}

addEventListener("focusout", (event) => {
  left = event.target;
  setTimeout(() => (left = null));
});

addEventListener("DOMContentLoaded", () => {
  const moved = (change) => [...change.removedNodes].some((node) => node.contains(left));
  new MutationObserver((changes) => {
    if (!left || document.activeElement !== document.body || !changes.some(moved)) return;
    (left.isConnected ? left : next())?.focus({ preventScroll: true });
  }).observe(document.body, { childList: true, subtree: true });
});

// Whose session has ended is at the door again; the server has hung up, and nobody would hear what is pressed here.
// On loopback a service that comes back may go by another name: then this page's own (wrong-host) is none any more.
async function leave() {
  const answer = await fetch("/users", { method: "HEAD", redirect: "manual" }).catch(() => null);
  if (answer?.status === 401) location.replace("/login");
  else if (answer?.status === 403) lost("elsewhere");
  else if (!answer && location.protocol === "http:") lost("gone");
}

function lost(why) {
  document.querySelector("#popup span:last-child").textContent = document.querySelector(`meta[name=k-${why}]`).content;
}

addEventListener("DOMContentLoaded", () => {
  window.socket?.on("disconnect", leave);
  window.socket?.on("connect_error", leave);
});

// The tab is called what its page is, also after a machine has got another name.
setInterval(() => {
  const heading = document.querySelector(".k-title")?.textContent;
  const title = heading ? `${heading} · Kiban` : "Kiban";
  if (document.title !== title) document.title = title;
}, 500);

// The key / goes to the search, wherever nothing is being typed.
addEventListener("keydown", (event) => {
  const search = document.querySelector(".k-search input");
  if (event.key !== "/" || !search || event.target.closest("input, textarea, [contenteditable]")) return;
  event.preventDefault();
  search.focus();
});
