// SPDX-License-Identifier: GPL-2.0-or-later
// The secret is behind the #, which no browser sends; it is taken out of the address before anything else happens.
"use strict";
const secret = location.hash.slice(1);
history.replaceState(null, "", "/login");
const words = {
  en: { wait: "One moment …", ask: "To come in, say on the machines' host:", used: "This link has been used, or is more than a minute old. Get a new one:" },
  ja: { wait: "お待ちください…", ask: "仮想マシンのホストで次のコマンドを実行してください:", used: "このリンクは使用済みか、1 分以上前のものです。新しいリンクを取得してください:" },
};
const language = navigator.language.startsWith("ja") ? "ja" : "en";
document.documentElement.lang = language;
const say = (key) => {
  document.getElementById("said").textContent = words[language][key];
  document.getElementById("how").textContent = key === "wait" ? "" : "kiban web";
};
const enter = async () => {
  say("wait");
  const answer = await fetch("/login", { method: "POST", body: secret });
  if (answer.ok) location.replace("/");
  else say("used");
};
if (secret) enter().catch(() => say("used"));
else say("ask");
// a new link in a tab that is open already changes only what is behind the #
addEventListener("hashchange", () => location.reload());
