(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const data = document.body.dataset;
  const duration = Number(data.duration);
  const inner = $("tl-inner"), scroller = $("tl"), scrub = $("scrub"), head = $("head"), sel = $("sel");
  const clock = (s) => {
    if (duration < 60) return s.toFixed(2) + " s";
    return Math.floor(s / 60) + ":" + (s % 60).toFixed(2).padStart(5, "0");
  };

  // The clock of the page: the player where there is one, else time itself.
  const virtual = {
    at: 0, since: null,
    get currentTime() {
      return this.since === null ? this.at : Math.min(duration, this.at + (performance.now() - this.since) / 1000);
    },
    set currentTime(s) { this.at = s; if (this.since !== null) this.since = performance.now(); show(); },
    get paused() { return this.since === null; },
    play() { if (this.at >= duration) this.at = 0; this.since = performance.now(); changed(); },
    pause() { this.at = this.currentTime; this.since = null; changed(); },
  };
  let player = $("player") || virtual;

  function listen(media) {
    for (const name of ["timeupdate", "seeking", "seeked", "loadedmetadata"]) media.addEventListener(name, show);
    for (const name of ["play", "pause", "ended"]) media.addEventListener(name, changed);
    media.addEventListener("error", () => {
      if (media.src.startsWith("data:")) return asBlob(media); // some browsers refuse long data: addresses
      $("media-note").textContent = data.broken;
      $("media-note").style.display = "block";
      media.hidden = true;
      player = virtual;
      changed();
    });
  }
  function asBlob(media) {
    const [kind, body] = media.src.slice(5).split(";base64,");
    const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
    media.src = URL.createObjectURL(new Blob([bytes], { type: kind }));
  }
  function changed() {
    $("play").textContent = player.paused ? data.play : data.pause;
    show();
    if (!player.paused) requestAnimationFrame(tick);
  }
  function tick() {
    if (player === virtual && virtual.currentTime >= duration) virtual.pause();
    show();
    follow(player.currentTime);
    if (!player.paused) requestAnimationFrame(tick);
  }
  function show() {
    const now = Math.min(Math.max(player.currentTime || 0, 0), duration);
    head.style.left = (100 * now) / duration + "%";
    const text = data.of.replace("{now}", clock(now)).replace("{total}", clock(duration));
    $("now").textContent = text;
    scrub.setAttribute("aria-valuenow", now.toFixed(2));
    scrub.setAttribute("aria-valuetext", text);
    picture(now);
  }
  function picture(now) {
    const images = document.querySelectorAll("#strip img");
    let chosen = images[0];
    images.forEach((img) => { if (Number(img.dataset.t) <= now + 1e-6) chosen = img; });
    images.forEach((img) => { img.hidden = img !== chosen; });
  }
  function seek(s) { player.currentTime = Math.min(Math.max(s, 0), duration); show(); }

  // Keeps a moment inside the visible part of a widened timeline.
  function follow(s) {
    const label = scrub.offsetLeft;
    const x = (s / duration) * scrub.offsetWidth;
    const room = scroller.clientWidth - label;
    if (x < scroller.scrollLeft || x > scroller.scrollLeft + room) scroller.scrollLeft = x - room * 0.2;
  }
  function choose(button) {
    const { ev, s, e } = button.dataset;
    document.querySelectorAll(".on").forEach((node) => node.classList.remove("on"));
    document.querySelectorAll("[data-ev]").forEach((node) => {
      const same = node.dataset.ev === ev;
      node.classList.toggle("on", same);
      if (node.classList.contains("chip")) node.setAttribute("aria-pressed", String(same));
    });
    const row = $("ev-" + ev);
    if (row) row.classList.add("on");
    sel.hidden = false;
    sel.style.left = (100 * s) / duration + "%";
    sel.style.width = (100 * (e - s)) / duration + "%";
    tell(ev, Number(s), Number(e), row);
    seek(Number(s));
    follow(Number(s));
  }
  function tell(ev, s, e, row) {
    const box = $("selected"), id = document.createElement("b"), when = document.createElement("span");
    const text = document.createElement("p");
    id.textContent = ev;
    when.textContent = clock(s) + " – " + clock(e);
    when.className = "muted num";
    text.textContent = row ? row.querySelector(".obs").textContent : "";
    box.replaceChildren(id, when, text);
  }
  function toggle() { if (player.paused) player.play(); else player.pause(); }

  let zoom = 1;
  function setZoom(next) {
    const middle = player.currentTime / duration;
    zoom = Math.min(Math.max(next, 1), Math.max(8, duration / 5));
    const label = scrub.offsetLeft;
    inner.style.width = zoom === 1 ? "" : label + (scroller.clientWidth - label) * zoom + "px";
    scroller.scrollLeft = middle * scrub.offsetWidth - (scroller.clientWidth - label) / 2;
    ruler();
  }
  function ruler() {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find((s) => (s / duration) * scrub.offsetWidth >= 64) || steps[steps.length - 1];
    const marks = [];
    for (let i = 0; i * step <= duration + 1e-6; i++) {
      const mark = document.createElement("span"), t = i * step;
      mark.className = "tick";
      mark.style.left = (100 * t) / duration + "%";
      mark.textContent = t >= 60 || step >= 15
        ? Math.floor(t / 60) + ":" + String(Math.round(t % 60)).padStart(2, "0") : String(Number(t.toFixed(1)));
      marks.push(mark);
    }
    scrub.replaceChildren(...marks);
  }

  // Numbers of a heat cell under the pointer: its share of all weight, and of what its moment has.
  const strips = [...document.querySelectorAll(".cells")];
  const shares = strips.map((strip) => strip.dataset.shares.split(" ").map(Number));
  strips.forEach((strip, k) => strip.parentElement.addEventListener("pointermove", (event) => {
    const box = strip.getBoundingClientRect(), count = shares[k].length;
    const i = Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * count), 0), count - 1);
    const all = shares.reduce((sum, row) => sum + row[i], 0);
    const start = Number(strip.dataset.start) + i * strip.dataset.step;
    const said = {
      name: strip.dataset.name, start: clock(start), end: clock(start + Number(strip.dataset.step)), share: shares[k][i],
      here: all ? Math.round((100 * shares[k][i]) / all) : 0,
    };
    strip.parentElement.title = data.heat.replace(/\{(\w+)\}/g, (_, key) => said[key]);
  }));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-ev]");
    if (button) return choose(button);
    const lane = event.target.closest(".lane-body");
    if (lane && !lane.closest(".group")) {
      const box = scrub.getBoundingClientRect();
      seek(((event.clientX - box.left) / box.width) * duration);
    }
  });
  scrub.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1 : 0.1;
    const to = {
      ArrowLeft: player.currentTime - step, ArrowDown: player.currentTime - step,
      ArrowRight: player.currentTime + step, ArrowUp: player.currentTime + step,
      PageDown: player.currentTime - 5, PageUp: player.currentTime + 5, Home: 0, End: duration,
    }[event.key];
    if (to !== undefined) { seek(to); follow(Math.min(Math.max(to, 0), duration)); }
    else if (event.key === " ") toggle();
    else if (event.key === "+") setZoom(zoom * 2);
    else if (event.key === "-") setZoom(zoom / 2);
    else return;
    event.preventDefault();
  });
  $("play").addEventListener("click", toggle);
  $("zoom-in").addEventListener("click", () => setZoom(zoom * 2));
  $("zoom-out").addEventListener("click", () => setZoom(zoom / 2));
  $("zoom-fit").addEventListener("click", () => setZoom(1));
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  window.addEventListener("resize", () => setZoom(zoom));
  document.querySelectorAll(".chip").forEach((chip) => chip.setAttribute("aria-pressed", "false"));
  if (player !== virtual) listen(player);
  if (player !== virtual && player.error) player.dispatchEvent(new Event("error"));
  ruler();
  show();
})();
