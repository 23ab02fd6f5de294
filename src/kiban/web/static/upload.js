// SPDX-License-Identifier: GPL-2.0-or-later
// Files that are dropped on a zone or chosen in it, sent to the library of media as they are, one after another.
"use strict";
{
  const address = (name) => `/media/${encodeURIComponent(name)}`;
  let sending = 0;

  const problem = (text, words) => {
    try {
      const said = JSON.parse(text);
      return `${said.detail} ${said.hint ?? ""}`.trim();
    } catch {
      return words.lost;
    }
  };

  const put = (zone, file, words) =>
    new Promise((done) => {
      const bar = zone.querySelector("progress");
      const request = new XMLHttpRequest();
      const stop = () => request.abort();
      const end = (text, name) => {
        zone.querySelector(".k-sending button").removeEventListener("click", stop);
        done({ text, name });
      };
      request.upload.onprogress = (event) => {
        bar.value = event.loaded / Math.max(event.total, 1);
        say(zone, `${words.sending} ${file.name}: ${Math.floor(100 * bar.value)} %`);
      };
      request.onload = () => {
        if (request.status === 201) end(`${words.arrived} ${file.name}`, JSON.parse(request.responseText).name);
        else end(problem(request.responseText, words));
      };
      request.onerror = () => end(words.lost);
      request.onabort = () => end(words.stopped);
      zone.querySelector(".k-sending button").addEventListener("click", stop);
      request.open("PUT", address(file.name));
      request.send(file);
    });

  const say = (zone, text, wrong = false) => {
    const said = zone.querySelector(".k-said");
    said.textContent = text;
    said.classList.toggle("k-note", wrong);
  };

  const send = async (zone, file) => {
    const words = zone.dataset;
    const box = zone.querySelector(".k-sending");
    const refused = await fetch(`${address(file.name)}?size=${file.size}`)
      .then((answer) => answer.status !== 204 && answer.text())
      .catch(() => "");
    if (refused !== false) return say(zone, problem(refused, words), true);
    box.hidden = false;
    sending += 1;
    const { text, name } = await put(zone, file, words);
    sending -= 1;
    box.hidden = true;
    say(zone, text, !name);
    if (name) emitEvent("k-arrived", name);
  };

  // what is dropped while others are sent waits for its turn
  const waiting = new WeakMap();
  const take = (zone, files) => {
    if (zone.querySelector("input").disabled) return;
    for (const file of files) waiting.set(zone, (waiting.get(zone) ?? Promise.resolve()).then(() => send(zone, file)));
  };

  const zoneOf = (event) => event.target.closest?.(".k-drop");

  addEventListener("change", (event) => {
    if (!event.target.matches?.(".k-drop input[type=file]")) return;
    take(zoneOf(event), [...event.target.files]);
    event.target.value = "";
  });
  // a file that is dropped beside the zone must not be opened in place of the page
  for (const kind of ["dragover", "drop"])
    addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      const zone = zoneOf(event);
      event.dataTransfer.dropEffect = zone ? "copy" : "none";
      if (kind === "drop" && zone) take(zone, [...event.dataTransfer.files]);
    });
  addEventListener("beforeunload", (event) => {
    if (sending) event.preventDefault();
  });
}
