// Reads feeds with ical.js, Thunderbird's reader, and prints what it made of them: of {name: address} on standard input,
// for each feed its events, {uid, starts, ends, summary}: dates for whole days, instants in UTC otherwise.
import { readFileSync } from "node:fs";

const [library] = process.argv.slice(2);
const ICAL = (await import(library)).default;

const told = (time) => (time.isDate ? time.toString() : time.toJSDate().toISOString().replace(".000Z", "Z"));

const found = {};
for (const [name, address] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  const answer = await fetch(address);
  ICAL.parse.strict = true;
  const calendar = new ICAL.Component(ICAL.parse(await answer.text()));
  found[name] = calendar.getAllSubcomponents("vevent").map((component) => {
    const event = new ICAL.Event(component);
    return { uid: event.uid, starts: told(event.startDate), ends: told(event.endDate), summary: event.summary };
  });
}
console.log(JSON.stringify(found));
