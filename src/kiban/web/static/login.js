// SPDX-License-Identifier: GPL-2.0-or-later
// The secret is behind the #, which no browser sends; it is taken out of the address before anything else happens.
// Over TLS a token lets in as well.
"use strict";
const secret = location.hash.slice(1);
history.replaceState(null, "", "/login");
const words = {
  en: {
    wait: "One moment …",
    ask: "To come in, say on the machines' host:",
    used: "This link has been used, or is more than a minute old. Get a new one:",
    name: "Token",
    enter: "Log in",
    where: "An administrator makes one with “kiban token create NAME”, or on the page Users.",
    wrong: "This token is not known here. It may have been revoked.",
    often: "Too many wrong tries from your address. Wait a minute.",
    lost: "The service does not answer.",
  },
  ja: {
    wait: "お待ちください…",
    ask: "仮想マシンのホストで次のコマンドを実行してください:",
    used: "このリンクは使用済みか、発行から 1 分以上経過しています。新しいリンクを取得してください:",
    name: "トークン",
    enter: "ログイン",
    where: "トークンは、管理者が「kiban token create 名前」または「ユーザー」ページで作成します。",
    wrong: "このトークンは登録されていません。取り消された可能性があります。",
    often: "お使いのアドレスからの失敗が多すぎます。1 分ほどお待ちください。",
    lost: "サービスが応答しません。",
  },
};
const language = navigator.language.startsWith("ja") ? "ja" : "en";
const part = (id) => document.getElementById(id);
const remote = location.protocol === "https:";
document.documentElement.lang = language;
for (const id of ["name", "enter", "where"]) part(id).textContent = words[language][id];

const say = (key) => {
  part("said").textContent = key ? words[language][key] : "";
  part("how").textContent = key === "ask" || key === "used" ? "kiban web" : "";
};
const show = (key) => {
  say(key);
  part("door").hidden = !remote;
  if (remote) part("token").focus();
};
const enter = async (what, wrong) => {
  say("wait");
  part("enter").disabled = true;
  const answer = await fetch("/login", { method: "POST", body: what }).catch(() => null);
  part("enter").disabled = false;
  if (answer?.ok) location.replace("/");
  else show(!answer ? "lost" : answer.status === 429 ? "often" : wrong);
};
part("door").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = part("token").value.trim();
  part("token").value = "";
  enter(token, "wrong");
});
if (secret) enter(secret, "used");
else show(remote ? "" : "ask");
// a new link in a tab that is open already changes only what is behind the #
addEventListener("hashchange", () => location.reload());
