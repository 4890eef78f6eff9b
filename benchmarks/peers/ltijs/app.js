// ltijs on its own SQL plugin as their READMEs write it: one process, PostgreSQL, answers with one line.
//
// In its favour: the page its launch redirects to is not asked for.
// Sources: https://github.com/Cvmcosta/ltijs#usage, https://github.com/Cvmcosta/ltijs-sequelize#usage
const lti = require("ltijs").Provider;
const Database = require("ltijs-sequelize");

const job = JSON.parse(process.env.PEER_CONFIG);
const { host, port, database, user } = job.database;
const db = new Database(database, user, "", { host, port, dialect: "postgres", logging: false });

lti.setup(process.env.PEER_SECRET, { plugin: db }, {
  appRoute: "/launch", loginRoute: "/login", keysetRoute: "/keys", cookies: { secure: false, sameSite: "" }, devMode: false,
});
lti.onConnect((token, req, res) => res.send(`Launched by ${token.user}`));

(async () => {
  await lti.deploy({ port: job.port, silent: true });
  for (const platform of job.platforms) {
    await lti.registerPlatform({
      url: platform.issuer,
      name: platform.issuer,
      clientId: platform.client_id,
      authenticationEndpoint: platform.auth_url,
      accesstokenEndpoint: platform.token_url,
      authConfig: { method: "JWK_SET", key: platform.jwks_url },
    });
  }
  console.log("registered");
})();
