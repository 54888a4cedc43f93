// The review queue by keyboard: J and K move, Enter opens (a focused link does that by itself).
(function () {
  "use strict";
  var rows = Array.prototype.slice.call(document.querySelectorAll("[data-queue] > a"));
  document.addEventListener("keydown", function (event) {
    if (!rows.length || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    var step = { j: 1, k: -1 }[event.key.toLowerCase()];
    if (!step) return;
    event.preventDefault();
    var here = rows.indexOf(document.activeElement);
    rows[Math.max(0, Math.min(rows.length - 1, here < 0 ? 0 : here + step))].focus();
  });
})();
