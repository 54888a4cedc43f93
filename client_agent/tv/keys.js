/* What a key means: by its name where there is one, by its number for the old engines and for the remotes of TV sets. */
(function () {
  'use strict';
  var NAMES = {
    ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down', Left: 'left', Right: 'right', Up: 'up', Down: 'down',
    Enter: 'ok', Select: 'ok', Accept: 'ok', MediaPlayPause: 'ok', ' ': 'ok',
    Escape: 'back', Esc: 'back', Backspace: 'back', GoBack: 'back', BrowserBack: 'back', XF86Back: 'back',
    AudioVolumeUp: 'louder', VolumeUp: 'louder', AudioVolumeDown: 'softer', VolumeDown: 'softer', AudioVolumeMute: 'mute', VolumeMute: 'mute'
  };
  var CODES = {
    37: 'left', 38: 'up', 39: 'right', 40: 'down', 13: 'ok', 32: 'ok', 23: 'ok',
    27: 'back', 8: 'back', 4: 'back', 166: 'back', 461: 'back', 10009: 'back',
    175: 'louder', 183: 'louder', 447: 'louder', 174: 'softer', 182: 'softer', 448: 'softer', 173: 'mute', 181: 'mute', 449: 'mute'
  };
  var LATE_MS = 50, TOO_LATE = 3;
  var Keys = TV.Keys = {};

  Keys.of = function (event) {
    var named = event.key && event.key !== 'Unidentified';
    return NAMES[event.key] || (named && event.key.length === 1 ? null : CODES[event.keyCode]) || null;
  };
  /* Whether the picture follows the keys: on a box where it comes late three times more often than not, nothing slides any
     more. Old engines without frames to ask for keep what they have. */
  var late = 0;
  Keys.feel = function (began) {
    if (!window.requestAnimationFrame) { return; }
    window.requestAnimationFrame(function () {
      setTimeout(function () {
        late = Math.max(0, late + (TV.perf() - began > LATE_MS ? 1 : -1));
        if (late >= TOO_LATE) { document.documentElement.classList.add('slow'); }
      }, 0);
    });
  };
  Keys.digit = function (event) {
    if (/^[0-9]$/.test(event.key)) { return event.key; }
    var code = event.keyCode;
    if (event.key && event.key !== 'Unidentified') { return null; }
    return code >= 48 && code <= 57 ? String(code - 48) : code >= 96 && code <= 105 ? String(code - 96) : null;
  };
}());
