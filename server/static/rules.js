// Pages of the rules: a ticker's characters are counted while it is written; what is taken away is asked about first.
(function () {
  "use strict";
  document.querySelectorAll("output[data-count-of]").forEach(function (output) {
    var text = document.getElementById(output.dataset.countOf);
    var most = Number(output.dataset.most);
    function count() {
      // As the server counts: characters, with blanks run together.
      var length = Array.from(text.value.trim().replace(/\s+/g, " ")).length;
      output.textContent = length + "/" + most;
      output.classList.toggle("text-danger", length > most);
    }
    text.addEventListener("input", count);
    count();
  });
  document.querySelectorAll("form[data-confirm]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (!window.confirm(form.dataset.confirm)) event.preventDefault();
    });
  });
})();
