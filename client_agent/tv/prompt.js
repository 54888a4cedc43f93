/* 还有人在看吗？ Shown when the agent says so (presence.py), at the bottom and without a sound; any key is an answer. */
(function () {
  'use strict';
  var Views = TV.Views, setText = Views.setText, show = Views.show;
  TV.words({
    prompt_ask: '还有人在看吗？', prompt_key: '按任意键继续', prompt_left: '{0} 秒'
  }, {
    prompt_ask: 'Is anybody still watching?', prompt_key: 'Press any key', prompt_left: '{0} s'
  });
  var until = 0;
  var Prompt = TV.Prompt = {};

  /* For how long the agent still asks; 0: it does not. */
  Prompt.told = function (ms) {
    var now = TV.perf();
    if (!ms) { until = 0; } else if (until <= now) { until = now + ms; }
    Prompt.paint();
  };
  Prompt.open = function () { return TV.perf() < until; };
  /* A key was pressed: whether it was the answer. */
  Prompt.answer = function () {
    if (!Prompt.open()) { return false; }
    until = 0;
    TV.Screen.tell();
    Prompt.paint();
    return true;
  };
  Prompt.drop = function () { until = 0; };
  Prompt.paint = function () {
    var on = Prompt.open();
    show('prompt', on);
    if (!on) { return; }
    setText('prompt-ask', TV.say('prompt_ask'));
    setText('prompt-key', TV.say('prompt_key'));
    setText('prompt-left', TV.say('prompt_left', Math.ceil((until - TV.perf()) / 1000)));
  };
}());
