// Verifies messages with the reference library of Standard Webhooks for JavaScript: of a list of {secret, headers, body} on
// standard input, prints for each whether it is believed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [library] = process.argv.slice(2);
const { Webhook } = createRequire(import.meta.url)(library);

const isBelieved = ({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(isBelieved)));
