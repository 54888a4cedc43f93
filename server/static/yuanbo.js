// Shared by all pages: every request htmx or a script sends carries the CSRF token of the page.
(function () {
  "use strict";
  window.yuanbo = {
    csrf: function () {
      return document.querySelector('meta[name="csrf-token"]').content;
    }
  };
  document.addEventListener("htmx:config:request", function (event) {
    var context = event.detail.ctx;
    if (context && context.request) context.request.headers["X-CSRFToken"] = window.yuanbo.csrf();
  });
})();
