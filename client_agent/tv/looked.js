/* 看一眼: when the province took a picture of the screen, the set says so for three seconds. */
(function () {
  'use strict';
  TV.words({
    looked: '省里看了一眼屏幕'
  }, {
    looked: 'The province took a look at the screen'
  });
  var SHOWN_MS = 3000, known = null, timer = 0;

  TV.Looked = {
    /* Told of every state the agent gives; the first one only says where counting begins. */
    hear: function (looks) {
      var note = document.getElementById('looked');
      if (known !== null && looks > known) {
        note.textContent = TV.say('looked');
        note.classList.add('shown');
        window.clearTimeout(timer);
        timer = window.setTimeout(function () { note.classList.remove('shown'); }, SHOWN_MS);
      }
      known = looks;
    }
  };
}());
