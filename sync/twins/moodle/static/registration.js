"use strict";
// The tool says that its registration page is done; the list then shows it, pending.
const frame = document.querySelector("iframe[data-registration]");
if (frame) {
  addEventListener("message", (event) => {
    if (event.source === frame.contentWindow && event.data && event.data.subject === "org.imsglobal.lti.close") {
      location.assign("/mod/lti/toolconfigure.php");
    }
  });
}
