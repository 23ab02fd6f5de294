// SPDX-License-Identifier: GPL-2.0-or-later
// noVNC in a page of NiceGUI's. It connects by itself while the machine is alive, and again, ever more slowly, when the
// connection is lost; what there is to say meanwhile stands over the screen.
const FIRST = 500;
const LAST = 8000;
const REFUSED = 4001;

export default {
  template: `
    <div class="k-console">
      <div class="k-console-frame">
        <div ref="place" class="k-console-place" @focusin="focused = true" @focusout="focused = false"
          @keydown.capture="key"></div>
        <div v-if="said" class="k-console-note" role="status">{{ said }}</div>
      </div>
      <div class="k-console-keys">{{ hint }}</div>
    </div>`,
  props: { address: String, alive: Boolean, note: String, hands: Boolean, fit: Boolean, words: Object },
  data: () => ({ status: "", focused: false }),
  computed: {
    said() {
      return this.alive ? this.status : this.note;
    },
    hint() {
      if (!this.alive || this.status) return "";
      if (!this.hands) return this.words["only looking"];
      return this.words[this.focused ? "keys go" : "keys stay"];
    },
  },
  mounted() {
    this.wait = FIRST;
    this.follow();
  },
  beforeUnmount() {
    this.gone = true;
    this.hangUp();
  },
  watch: {
    alive: "follow",
    fit() {
      if (this.rfb) this.rfb.scaleViewport = this.fit;
    },
  },
  methods: {
    follow() {
      this.wait = FIRST;
      if (this.alive) this.connect();
      else this.hangUp();
    },
    hangUp() {
      clearTimeout(this.timer);
      this.rfb?.disconnect();
    },
    async connect() {
      clearTimeout(this.timer);
      if (this.rfb || this.loading) return;
      this.status ||= this.words.connecting;
      this.loading = true;
      const module = await import("/novnc/core/rfb.js").catch(() => null);
      this.loading = false;
      if (!this.alive || this.gone) return;
      if (!module) return this.again(this.words.lost);
      const line = new WebSocket(location.origin.replace(/^http/, "ws") + this.address);
      line.addEventListener("close", (event) => (this.reason = event.code === REFUSED ? event.reason : ""));
      this.reason = "";
      this.rfb = new module.default(this.$refs.place, line, { shared: true });
      this.rfb.background = "#000";
      this.rfb.viewOnly = !this.hands;
      this.rfb.scaleViewport = this.fit;
      this.rfb.addEventListener("connect", () => this.connected());
      this.rfb.addEventListener("disconnect", () => this.lost());
    },
    connected() {
      this.wait = FIRST;
      this.status = "";
      // noVNC's own canvas cannot be reached by the keyboard, and says nothing to those who do not see it
      const canvas = this.$refs.place.querySelector("canvas");
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.setAttribute("aria-label", `${this.words.label} ${this.hands ? this.words["keys go"] : ""}`);
    },
    async lost() {
      this.rfb = null;
      this.focused = false;
      if (this.gone || !this.alive) return;
      const answer = this.reason ? null : await fetch("/kiban.css", { cache: "no-store" }).catch(() => null);
      // 401: no session any more; 403: on loopback, a service that was started anew has another name
      this.again(this.reason || ([401, 403].includes(answer?.status) ? this.words["session over"] : this.words.lost));
    },
    again(why) {
      if (this.gone || this.rfb) return;
      this.status = why;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.alive && this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, LAST);
    },
    key(event) {
      if (!(event.ctrlKey && event.altKey && event.code === "ArrowLeft")) return;
      event.preventDefault();
      event.stopPropagation();
      this.letGo();
    },
    letGo() {
      // the guest has seen them go down, and would not see them go up
      for (const [keysym, code] of [[0xffe3, "ControlLeft"], [0xffe9, "AltLeft"]]) this.rfb?.sendKey(keysym, code, false);
      this.rfb?.blur();
      document.querySelector(".k-console-bar button:not([disabled])")?.focus();
    },
    async fullscreen() {
      if (document.fullscreenElement) return document.exitFullscreen();
      await this.$el.requestFullscreen();
      // where the browser can, keys such as Esc and Alt-Tab go to the guest as well; holding Esc leaves
      await navigator.keyboard?.lock?.().catch(() => null);
      this.rfb?.focus();
    },
  },
};
