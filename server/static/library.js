// Choosing many programmes: a bar appears once one is ticked, and shows what the chosen deed needs.
(function () {
  "use strict";
  var bar = document.getElementById("many");
  var cards = document.getElementById("cards");
  if (!bar || !cards) return;
  var words = bar.querySelector("[data-words]");
  var deed = bar.querySelector("select[name=deed]");

  function ticks() {
    return Array.prototype.slice.call(cards.querySelectorAll("input[name=id]"));
  }

  function show() {
    var count = ticks().filter(function (tick) { return tick.checked; }).length;
    bar.hidden = count === 0;
    cards.classList.toggle("is-choosing", count > 0);
    words.textContent = words.dataset.words.replace("#", count);
    bar.querySelectorAll("[data-for]").forEach(function (field) {
      var wanted = field.dataset.for === deed.value;
      field.hidden = !wanted;
      field.disabled = !wanted;
      field.required = wanted;
    });
  }

  function set(on) {
    ticks().forEach(function (tick) { tick.checked = on; });
    show();
  }

  cards.addEventListener("change", show);
  deed.addEventListener("change", show);
  bar.querySelector("[data-all]").addEventListener("click", function () { set(true); });
  bar.querySelector("[data-none]").addEventListener("click", function () { set(false); });
  show();
})();
