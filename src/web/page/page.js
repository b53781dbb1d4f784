"use strict";
(() => {
  if (!("follows" in document.body.dataset)) return;

  const QUIET_MAX = 5000, ASK_EVERY = 2000;
  const SVG = "http://www.w3.org/2000/svg";
  const news = document.getElementById("news");
  let live = document.getElementById("live");
  let heard = Date.now(), asked = 0, stream = null, over = false;

  // An element is ["tag", {attributes}, ...children], a text is a string.
  const namespace = (tag, parent) =>
    tag === "svg" || (parent && parent.namespaceURI === SVG) ? SVG : null;

  function make(wanted, parent) {
    if (typeof wanted === "string") return document.createTextNode(wanted);
    const within = namespace(wanted[0], parent);
    const made = within ? document.createElementNS(within, wanted[0]) : document.createElement(wanted[0]);
    for (const [name, value] of Object.entries(wanted[1])) made.setAttribute(name, value);
    for (const child of wanted.slice(2)) made.append(make(child, made));
    return made;
  }

  // Changes what is there into what is wanted, so that focus, selection and scrolling stay.
  function renew(there, wanted) {
    if (typeof wanted === "string") {
      if (there.nodeType !== Node.TEXT_NODE) return there.replaceWith(make(wanted));
      if (there.data !== wanted) there.data = wanted;
      return;
    }
    const [tag, attributes, ...children] = wanted;
    if (there.nodeType !== Node.ELEMENT_NODE || there.localName !== tag) {
      return there.replaceWith(make(wanted, there.parentNode));
    }
    for (const name of there.getAttributeNames()) if (!(name in attributes)) there.removeAttribute(name);
    for (const [name, value] of Object.entries(attributes)) {
      if (there.getAttribute(name) !== value) there.setAttribute(name, value);
    }
    const old = [...there.childNodes];
    children.forEach((child, at) => (at < old.length ? renew(old[at], child) : there.append(make(child, there))));
    old.slice(children.length).forEach((child) => child.remove());
  }

  function say(text) {
    if (news.textContent !== text) news.textContent = text;
  }

  function take(text) {
    const now = JSON.parse(text);
    heard = Date.now();
    document.title = now.title;
    renew(live, now.live);
    say("");
    over = now.is_final;
    if (over) close();
  }

  function close() {
    if (stream) stream.close();
    stream = null;
  }

  function follow() {
    if (stream || over || document.hidden) return;
    stream = new EventSource("events");
    stream.onmessage = (event) => take(event.data);
    // The browser tries again by itself, unless the answer was no stream.
    stream.onerror = () => stream && stream.readyState === EventSource.CLOSED && close();
  }

  // Where no event comes through, as behind some proxies, the page asks.
  async function ask() {
    if (Date.now() - asked < ASK_EVERY) return;
    asked = Date.now();
    try {
      const answer = await fetch("live.json", { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (answer.ok) take(await answer.text());
    } catch {
      // Nobody is there; what is said about it stays.
    }
  }

  function look() {
    if (over || document.hidden) return;
    const quiet = Date.now() - heard;
    if (quiet < QUIET_MAX) return;
    say(`Nothing heard for ${Math.round(quiet / 1000)} s: the run may be over, or out of reach. Trying again.`);
    ask();
    if (!stream) follow();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    heard = Date.now();
    follow();
  });
  follow();
  setInterval(look, 1000);
})();
