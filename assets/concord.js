// What the pages do on top of plain links and forms; without it they do the same with a page in between.
"use strict";

const every = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);

// Copying: a button with data-copy="#id" copies that element's text.
async function copy(button) {
  const text = document.querySelector(button.dataset.copy).textContent.trim();
  const label = button.querySelector("[data-label]") || button;
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    // No clipboard over plain http: select it, so that the keyboard can copy it.
    getSelection().selectAllChildren(document.querySelector(button.dataset.copy));
    label.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { label.textContent = "Copy"; }, 2500);
}

// Asking first: a link with data-dialog="#id" opens that dialog instead of the page that asks the same.
function ask(event, link) {
  const dialog = document.querySelector(link.dataset.dialog);
  if (!dialog) return;
  event.preventDefault();
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  const button = target.closest("[data-copy]");
  if (button) copy(button);
  const link = target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) ask(event, link);
  const closer = target.closest("dialog [data-close]");
  if (closer) { event.preventDefault(); closer.closest("dialog").close(); }
  every("details.menu[open]", (menu) => { if (!menu.contains(target)) menu.open = false; });
});

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector(".search input[type=search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  }
  if (event.key === "Escape") {
    every("details.menu[open]", (menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  }
});

// The switch between light and dark: at once here, kept by the server for the next page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form.theme")) return;
  event.preventDefault();
  const choice = event.submitter.value;
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  every("button", (button) => button.setAttribute("aria-pressed", String(button.value === choice)), form);
  const body = new URLSearchParams(new FormData(form));
  body.set("theme", choice);
  fetch(form.action, { method: "POST", body, redirect: "manual" });
});

// The end follows the start: what is moved stays as long as it was. A field with data-after="#id" is the end of that one.
function keepLength(end) {
  const start = document.querySelector(end.dataset.after);
  // Both are read as if they were in UTC, so that no change of clocks falls between them.
  const read = (field) => Date.parse(field.type === "date" ? field.value : `${field.value}Z`);
  const shown = end.type === "date" ? 10 : 16;
  let before = read(start);
  start.addEventListener("change", () => {
    const now = read(start);
    const length = read(end) - before;
    if (!Number.isNaN(now) && length > 0) end.value = new Date(now + length).toISOString().slice(0, shown);
    if (!Number.isNaN(now)) before = now;
  });
}

every("input[data-after]", keepLength);

// Two presses make one booking.
document.addEventListener("submit", (event) => {
  const form = event.target;
  // What is shown in a frame leaves the page as it is.
  if (form.method !== "post" || form.matches("form.theme") || event.submitter?.formTarget) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => { delete form.dataset.sent; }, 4000);
});

// A form with data-submit is sent by itself, once somebody looks at its page: a browser may have loaded that ahead of time.
every("form[data-submit]", (form) => {
  const send = () => form.requestSubmit();
  if (document.prerendering) document.addEventListener("prerenderingchange", send, { once: true });
  else send();
});

// A page that comes back from the history is as it was left, forms included.
addEventListener("pageshow", () => every("form[data-sent]", (form) => { delete form.dataset.sent; }));

// Live parts: data-live="/path" is asked for again while something in it is under way, soon at first and ever later while
// it stays as it is, since it may be waiting for a person. Once it is quiet nothing is asked for any more, until another
// part has changed or somebody comes back to the page. Only the word on sync (data-watch) is looked at all the time: by
// it a page that is left open learns what others do.
const SOON = 600;
const LATER = 15000;
const looks = [];

function follow(part) {
  const isWatched = "watch" in part.dataset;
  let last = null;
  let unchanged = 0;
  let timer;
  let isLooking = false;
  let isOver = false;
  const plan = () => {
    clearTimeout(timer);
    if (part.querySelector("[data-under-way]")) timer = setTimeout(look, Math.min(SOON * 1.12 ** unchanged, LATER));
    else if (isWatched) timer = setTimeout(look, LATER);
  };
  const ask = async () => {
    const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
    isOver = answer.status === 401;
    if (!answer.ok) return;
    const text = await answer.text();
    const before = last;
    last = text;
    unchanged = text === before ? unchanged + 1 : 0;
    if (text === before || (before === null && text.trim() === part.innerHTML.trim())) return;
    part.innerHTML = text;
    if (before !== null) looks.forEach((other) => { if (other !== look) other(); });
  };
  const look = async () => {
    if (isLooking || isOver || document.hidden) return;
    clearTimeout(timer);
    // What somebody is about to press stays where it is.
    if (part.contains(document.activeElement)) { timer = setTimeout(look, LATER); return; }
    isLooking = true;
    try {
      await ask();
    } catch {
      // Out of reach for the moment: what is shown stays, and the next look comes in its time.
    }
    isLooking = false;
    if (!isOver) plan();
  };
  looks.push(look);
  plan();
}

every("[data-live]", follow);
document.addEventListener("visibilitychange", () => looks.forEach((look) => look()));

// What happened is read out: screen readers speak of changes, not of what was there from the start.
every(".flash .notice", (notice) => {
  const words = notice.querySelector("[data-words]");
  if (!words) return;
  const text = words.textContent;
  words.textContent = "";
  requestAnimationFrame(() => { words.textContent = text; });
});

// Buttons that need this script are shown only now.
every("[data-copy][hidden]", (button) => { button.hidden = false; });

// Hours on the clocks of the reader, where those differ from the clocks of the place.
every("[data-local-time]", (place) => {
  const [from, until] = place.dataset.localTime.split("|").map((text) => new Date(text));
  const hours = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  const told = (zone) => new Intl.DateTimeFormat(place.lang, { ...hours, ...zone }).formatRange(from, until);
  if (told({}) === told({ timeZone: place.dataset.zone })) return;
  place.textContent = " " + place.dataset.text.replace("{time}", told({ timeZoneName: "short" }));
});
