// Shows a change in the calendar when it happens: asks for the number of the last write, and fetches the week anew
// when it has moved. The panel is left alone, so that nothing typed is lost.
"use strict";

async function look() {
  const week = document.getElementById("week");
  if (!week || document.hidden) return;
  const answer = await fetch(week.dataset.watch);
  if (!answer.ok) return;
  if ((await answer.text()) === week.dataset.revision) return;
  const page = await fetch(location.href);
  if (!page.ok) return;
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("week");
  if (fresh) week.replaceWith(document.adoptNode(fresh));
}

async function watch() {
  try {
    await look();
  } catch {
    // The sandbox may be restarting; the next look will tell.
  }
  setTimeout(watch, 1000);
}

watch();
