/* 自检: colour bars, safe area, left and right tone, lip-sync, keys; each is answered by one key, and all make a record. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, Screen = TV.Screen, byId = Views.byId, setText = Views.setText, el = Views.el, stop = Views.stop, show = Views.show;
  TV.words({
    selftest: '自检', selftest_never: '还没有做过，一分钟看看电视好不好', selftest_good: '上次 {0}，全部正常', selftest_poor: '上次 {0}，{1} 项不正常', selftest_due: '该自检了：上次 {0}',
    selftest_begin: '开始自检', selftest_again: '再做一次', selftest_how: '一共六项，一分钟做完。看清楚、听清楚，再按 OK（对）或 ◀（不对）。', selftest_step: '自检　{0} / 6',
    check_bars: '彩条', check_safe_area: '画面边缘', check_left: '左声道', check_right: '右声道', check_lip_sync: '声画同步', check_keys: '遥控器',
    ask_bars: '颜色齐全、从左到右是 白黄青绿紫红蓝？', ask_safe_area: '金色方框四条边都看得见？', ask_left: '左边喇叭在响？', ask_right: '右边喇叭在响？', ask_lip_sync: '圆点一亮，就听见“嗒”一声？',
    ask_keys: '请把五个键各按一下', keys_answer: 'OK 对　　◀ 不对　　返回 不做了', keys_keys: '{0} 秒内没有反应的键，记为不对', key_ok: 'OK', key_back: '返回',
    selftest_done: '自检完成', selftest_all_right: '六项全部正常，已存为记录', selftest_wrong: '不正常：{0}。已存为记录，也可以到“意见与报修”报修', selftest_close: 'OK 收起', check_right_mark: '正常', check_wrong_mark: '不正常',
    selftest_failed: '没有存下，请再做一次'
  }, {
    selftest: 'Self-test', selftest_never: 'Never done: a minute for the set', selftest_good: 'Last on {0}: all well', selftest_poor: 'Last on {0}: {1} wrong', selftest_due: 'Due again; last on {0}',
    selftest_begin: 'Begin', selftest_again: 'Once more', selftest_how: 'Six tests, one minute. Look and listen, then press OK (right) or ◀ (wrong).', selftest_step: 'Self-test  {0} of 6',
    check_bars: 'Colours', check_safe_area: 'Edges', check_left: 'Left sound', check_right: 'Right sound', check_lip_sync: 'Lip-sync', check_keys: 'Remote control',
    ask_bars: 'All colours: white yellow cyan green magenta red blue?', ask_safe_area: 'Are all four sides of the golden frame seen?', ask_left: 'Does the left speaker sound?', ask_right: 'Does the right speaker sound?', ask_lip_sync: 'A click with each flash of the dot?',
    ask_keys: 'Press each of the five keys once', keys_answer: 'OK right        ◀ wrong        Back: leave', keys_keys: 'Keys that do nothing within {0} s count as wrong', key_ok: 'OK', key_back: 'Back',
    selftest_done: 'Self-test done', selftest_all_right: 'All six are well; the record is kept', selftest_wrong: 'Wrong: {0}. The record is kept; faults can be reported on the desk', selftest_close: 'OK: close', check_right_mark: 'well', check_wrong_mark: 'wrong',
    selftest_failed: 'Not kept: please do it again'
  });
  var CHECKS = ['bars', 'safe_area', 'left', 'right', 'lip_sync', 'keys'], FIVE = ['up', 'left', 'ok', 'right', 'down', 'back'];
  var KEYS_MS = 20000, BEAT_MS = 1000, FLASH_MS = 90, TONE_HZ = 1000, CLICK_HZ = 2400;
  var audio = null, sounding = null, beat = null;
  var run = null;   /* {step, results, pressed, until, done, acts} while a test is made */

  /* --- sound --- */
  function context() {
    var Kind = window.AudioContext || window.webkitAudioContext;
    if (!audio && Kind) { audio = new Kind(); }
    if (audio && audio.resume) { audio.resume(); }
    return audio;
  }
  function tone(hz, channel, start, seconds, loud) {
    var at = context();
    if (!at) { return null; }
    var source = at.createOscillator(), gain = at.createGain(), merger = at.createChannelMerger(2);
    source.frequency.value = hz;
    gain.gain.value = loud * TV.Sound.volume / 100;
    source.connect(gain);
    gain.connect(merger, 0, channel === 'right' ? 1 : 0);
    if (!channel) { gain.connect(merger, 0, 1); }
    merger.connect(at.destination);
    source.start(start || at.currentTime);
    if (seconds) { source.stop((start || at.currentTime) + seconds); }
    return source;
  }
  function silence() {
    if (sounding) { sounding.stop(); sounding = null; }
    if (beat) { clearInterval(beat); beat = null; }
  }
  /* Light and click by one clock: the click is asked for a little ahead, the light goes on when its moment has come. */
  function tick() {
    var at = context(), dot = byId('test-dot');
    if (at) { tone(CLICK_HZ, '', at.currentTime + 0.02, 0.03, 0.6); }
    setTimeout(function () {
      dot.classList.add('on');
      setTimeout(function () { dot.classList.remove('on'); }, FLASH_MS);
    }, 20);
  }

  /* --- the six tests --- */
  function begin(acts) {
    run = { step: 0, results: {}, pressed: {}, until: 0, done: false, acts: acts };
    Screen.cover(true);
    TV.open(layer);
    enter();
  }
  function enter() {
    var check = CHECKS[run.step];
    silence();
    if (check === 'left' || check === 'right') { sounding = tone(TONE_HZ, check, 0, 0, 0.35); }
    if (check === 'lip_sync') { tick(); beat = setInterval(tick, BEAT_MS); }
    if (check === 'keys') { run.pressed = {}; run.until = TV.perf() + KEYS_MS; }
    byId('test').className = 'shown test-' + check;
    draw();
  }
  function answer(right) {
    run.results[CHECKS[run.step]] = right;
    run.step++;
    if (run.step < CHECKS.length) { enter(); return; }
    silence();
    run.done = true;
    byId('test').className = 'shown test-done';
    draw();
    var acts = run.acts;
    acts.post('/api/desk/selftest', { results: run.results }, function (status, told) {
      if (status === 201) { Desk.told.selftest = told; } else { acts.toast(TV.say('selftest_failed')); }
      acts.redraw();
    });
  }
  function leave() {
    silence();
    run = null;
    byId('test').className = '';
    Screen.cover(false);
    TV.close(layer);
  }

  var layer = {
    key: function (key, repeat) {
      if (repeat || !run) { return; }
      if (run.done) { if (key === 'ok' || key === 'back') { leave(); } return; }
      if (CHECKS[run.step] === 'keys') { pressedKey(key); return; }
      if (key === 'ok' || key === 'right') { answer(true); } else if (key === 'left') { answer(false); } else if (key === 'back') { leave(); }
    },
    paint: function () {
      if (!run || run.done || CHECKS[run.step] !== 'keys') { return; }
      if (TV.perf() > run.until) { answer(false); return; }
      setText('test-keys', TV.say('keys_keys', Math.ceil((run.until - TV.perf()) / 1000)));
    },
    dropped: function () { silence(); run = null; byId('test').className = ''; Screen.cover(false); }
  };
  function pressedKey(key) {
    if (FIVE.indexOf(key) < 0) { return; }
    if (key === 'back' && run.pressed.back) { leave(); return; }
    run.pressed[key] = true;
    var all = FIVE.every(function (one) { return run.pressed[one]; });
    draw();
    if (all) { answer(true); }
  }

  /* --- what stands on the screen --- */
  function draw() {
    var check = CHECKS[run.step], body = byId('test-body');
    body.textContent = '';
    setText('test-step', run.done ? '' : TV.say('selftest_step', run.step + 1));
    setText('test-title', run.done ? TV.say('selftest_done') : TV.say('check_' + check));
    setText('test-ask', run.done ? verdict() : TV.say('ask_' + check));
    setText('test-keys', run.done ? TV.say('selftest_close') : check === 'keys' ? '' : TV.say('keys_answer'));
    if (run.done) { CHECKS.forEach(function (one) { body.appendChild(result(one, run.results[one])); }); }
    else if (check === 'keys') { body.appendChild(remote()); }
  }
  function verdict() {
    var wrong = CHECKS.filter(function (one) { return !run.results[one]; }).map(function (one) { return TV.say('check_' + one); });
    return wrong.length ? TV.say('selftest_wrong', wrong.join(TV.lang === 'zh' ? '、' : ', ')) : TV.say('selftest_all_right');
  }
  function result(check, right) { return Desk.line(TV.say('check_' + check), (right ? '✓ ' : '× ') + TV.say(right ? 'check_right_mark' : 'check_wrong_mark'), right ? 'good' : 'poor'); }
  function remote() {
    var pad = el('div', 'remote'), signs = { up: '▲', down: '▼', left: '◀', right: '▶', ok: TV.say('key_ok'), back: TV.say('key_back') };
    FIVE.forEach(function (key) { pad.appendChild(el('div', 'remote-key remote-' + key + (run.pressed[key] ? ' pressed' : ''), signs[key])); });
    return pad;
  }

  function about(summary) {
    var told = Desk.told.selftest || (summary && summary.selftest);
    if (!told || !told.last) { return TV.say('selftest_never'); }
    var wrong = CHECKS.filter(function (one) { return told.last.results[one] === false; }).length, day = TV.shortDate(told.last.at_ms);
    return told.due ? TV.say('selftest_due', day) : wrong ? TV.say('selftest_poor', day, wrong) : TV.say('selftest_good', day);
  }
  Desk.add({
    name: 'selftest', order: 70, title: 'selftest', about: about, load: '/api/desk/selftest', footer: 'keys_desk',
    icon: 'M3 5h18v12H3zM9 21h6M8 11l3 3 5-6',
    draw: function (main, told, acts) {
      if (!told) { return []; }
      var left = el('div', 'desk-half'), right = el('div', 'desk-half');
      left.appendChild(el('p', 'desk-verdict ' + (told.due ? '' : 'good'), about(null)));
      left.appendChild(el('p', 'desk-also', TV.say('selftest_how')));
      var start = stop('selftest-begin', 'button', function () { begin(acts); }, [el('span', 'triangle'), el('span', '', TV.say(told.last ? 'selftest_again' : 'selftest_begin'))]);
      left.appendChild(el('div', 'buttons', null, start));
      if (told.last) { CHECKS.forEach(function (check) { right.appendChild(result(check, told.last.results[check])); }); }
      main.appendChild(el('div', 'desk-halves', null, left, right));
      return [[start]];
    }
  });
}());
