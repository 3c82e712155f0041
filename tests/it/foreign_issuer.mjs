// An OpenID Connect issuer that is not ours, at the port of the second argument, for the callback of the third one. Whoever
// signs in with any password is the person of that address, which counts as verified unless it begins with "unverified".
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , library, port, callback] = process.argv;
const require = createRequire(pathToFileURL(library));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "concord",
    client_secret: "a secret: of/+% its own",
    redirect_uris: [callback],
    response_types: ["code"],
    grant_types: ["authorization_code"],
  }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith("unverified"), name: "Nina" }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
