// Shelves move up and down, unused ones go; the form is sent in the order that is shown.
(function () {
  "use strict";
  document.querySelectorAll("[data-sortable]").forEach(function (list) {
    list.addEventListener("click", function (event) {
      var button = event.target.closest("button");
      var row = event.target.closest(".yb-shelf");
      if (!button || !row) return;
      if ("up" in button.dataset && row.previousElementSibling) list.insertBefore(row, row.previousElementSibling);
      if ("down" in button.dataset && row.nextElementSibling) list.insertBefore(row.nextElementSibling, row);
      if ("remove" in button.dataset) row.remove();
      else button.focus();
    });
  });
})();
