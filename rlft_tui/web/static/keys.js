// The workbench takes keys as soon as it is there, without a click on it first.
"use strict";

function takeKeys() {
  const field = document.querySelector(".xterm-helper-textarea");
  if (field && document.activeElement !== field) field.focus();
}

document.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(takeKeys).observe(document.body, {
    attributes: true,
    attributeFilter: ["class"],
    childList: true,
    subtree: true,
  });
});
window.addEventListener("focus", takeKeys);
