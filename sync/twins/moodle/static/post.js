"use strict";
document.querySelector("form[data-self-posting]").submit();
