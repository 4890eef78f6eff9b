// The launch's cookie is gone, but this tab may still hold the page's token: then the page opens with it.
(() => {
  const space = location.pathname.match(/^\/l\/[0-9a-f-]+\//)?.[0];
  if (!space) return;
  let token = null;
  try {
    token = sessionStorage.getItem("kopir" + space);
    // Tried once: a token that opens nothing must not be tried for ever.
    sessionStorage.removeItem("kopir" + space);
  } catch { return; }
  if (!token) return;
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: location.pathname + location.search, hidden: true });
  for (const [name, value] of [["kopir_token", token], ["kopir_go", "1"]]) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
})();
