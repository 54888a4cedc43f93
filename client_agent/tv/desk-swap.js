/* 换机: everything of this station onto a stick, or from the old television's stick, under a recovery phrase of 24 digits. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop;
  TV.words({
    swap: '换机', swap_about: '换新设备：记录写到U盘，或从U盘恢复', swap_old: '这台是旧设备', swap_new: '这台是新设备',
    swap_old_say: '把收看记录、名单和还没报上去的写到U盘', swap_new_say: '把旧设备写在U盘上的接过来',
    swap_no_stick: '没有找到U盘：请插上U盘，等几秒再看', swap_again: '再看一遍', swap_export: '写到U盘 {0}', swap_restore: '从U盘 {0} 恢复',
    swap_of: '{0}，{1} 写的', swap_of_other: '是别的站的：{0}', swap_busy_export: '正在写到U盘，请不要拔……', swap_busy_restore: '正在从U盘恢复，请不要拔……',
    swap_phrase: '恢复码：请抄在纸上，只显示这一次', swap_wrote: '已写好：{0} 批记录，{1} 个照片和录音。现在可以拔U盘', swap_leave: '已经抄好',
    swap_type: '恢复码：第 {0} 组，共 {1} 组', swap_restored: '已恢复：日志 {0} 条，名单 {1} 人，旧设备没报的 {2} 批记录会由这台报上去',
    swap_waiting: '旧设备的记录还有 {0} 批没报完，会自动报', swap_fail_group: '第 {0} 组不对：请对照纸条再看一遍', swap_fail_length: '恢复码应是 24 位数字',
    swap_fail_phrase: '恢复码不对，或不是这个U盘的', swap_fail_gone: 'U盘读写不了：可能拔掉了或坏了。原来的都还在，什么也没改', swap_fail_full: 'U盘满了，换一个空的',
    swap_fail_readonly: 'U盘写不进去（写保护）', swap_fail_none: 'U盘上没有旧设备写的文件', swap_fail_damaged: 'U盘上的文件坏了或不完整：请在旧设备上重写一遍',
    swap_fail_newer: 'U盘是更新版本的程序写的：先升级这台', swap_fail_station: '这是别的站的U盘', swap_fail_same: '这就是这台设备自己写的，不用恢复',
    swap_fail_older: '已经恢复过更新的一份，这份旧了', swap_fail_already: '这一份已经恢复过了', swap_fail_disk: '本机硬盘写不进去，什么也没改'
  }, {
    swap: 'Change device', swap_about: 'To a new device: records to a stick, or from one', swap_old: 'This is the old device', swap_new: 'This is the new device',
    swap_old_say: 'Writes log, names and unsent reports to a stick', swap_new_say: 'Takes over what the old device wrote on a stick',
    swap_no_stick: 'No stick found: plug one in, wait some seconds and look again', swap_again: 'Look again', swap_export: 'Write to {0}', swap_restore: 'Restore from {0}',
    swap_of: '{0}, written {1}', swap_of_other: 'of another station: {0}', swap_busy_export: 'Writing to the stick, leave it in…', swap_busy_restore: 'Restoring from the stick, leave it in…',
    swap_phrase: 'Recovery phrase: write it down, it is shown only now', swap_wrote: 'Written: {0} batches of records, {1} photos and recordings. You may unplug the stick', swap_leave: 'I have written it down',
    swap_type: 'Recovery phrase: group {0} of {1}', swap_restored: 'Restored: {0} lines of the log, {1} names; {2} unsent batches of the old device go out from here',
    swap_waiting: '{0} batches of the old device still to be sent, by themselves', swap_fail_group: 'Group {0} is wrong: look at the paper again', swap_fail_length: 'The recovery phrase has 24 digits',
    swap_fail_phrase: 'The phrase is wrong, or not of this stick', swap_fail_gone: 'The stick cannot be read or written: unplugged or broken. Nothing was changed', swap_fail_full: 'The stick is full: take an empty one',
    swap_fail_readonly: 'The stick is write-protected', swap_fail_none: 'The old device wrote nothing on this stick', swap_fail_damaged: 'The file is damaged or cut off: write it again on the old device',
    swap_fail_newer: 'Written by a newer program: update this device first', swap_fail_station: 'This stick is of another station', swap_fail_same: 'This device wrote it itself: nothing to restore',
    swap_fail_older: 'A newer one was restored already: this one is old', swap_fail_already: 'This one was restored already', swap_fail_disk: 'The disk here takes nothing: nothing was changed'
  });
  var DIGITS = 24, A_GROUP = 4, AGAIN_MS = 1500, timer = 0;
  var FAILS = {
    group: 'swap_fail_group', phrase: 'swap_fail_phrase', gone: 'swap_fail_gone', full: 'swap_fail_full', readonly: 'swap_fail_readonly', none: 'swap_fail_none',
    damaged: 'swap_fail_damaged', newer: 'swap_fail_newer', station: 'swap_fail_station', same: 'swap_fail_same', older: 'swap_fail_older', already: 'swap_fail_already', disk: 'swap_fail_disk'
  };

  function grouped(digits) { return digits.replace(/(\d{4})(?=\d)/g, '$1 '); }
  function failure(state) {
    if (state.word === 'group' && !state.group) { return TV.say('swap_fail_length'); }
    return TV.say(FAILS[state.word] || 'swap_fail_gone', state.group);
  }
  function post(body, acts) {
    TV.post('/api/desk/swap', body, function (status, answer) {
      if (status === 403 && answer && answer.error === 'sign-in') { Desk.need(function () { post(body, acts); }); return; }
      acts.again();
    });
  }
  function forget(acts) { post({ 'do': 'forget' }, acts); }

  function about(found) {
    if (found.word) { return ''; }
    return found.ours ? TV.say('swap_of', found.station, TV.dateText(found.made_ms) + ' ' + TV.hhmm(found.made_ms)) : TV.say('swap_of_other', found.station);
  }
  /* The last digit of each group checks the others and the group's place (stick.py), so a slip is said at once. */
  function fits(group, place) {
    return (3 * group.charAt(0) + 7 * group.charAt(1) + 9 * group.charAt(2) + place + 1) % 10 === +group.charAt(3);
  }
  function askGroup(stick, digits, acts) {
    var place = digits.length / A_GROUP;
    Desk.pad({
      title: TV.say('swap_type', place + 1, DIGITS / A_GROUP), about: grouped(digits), raw: true, min: A_GROUP, max: A_GROUP,
      then: function (group, again) {
        if (!fits(group, place)) { again(TV.say('swap_fail_group', place + 1)); return; }
        if (digits.length + A_GROUP < DIGITS) { askGroup(stick, digits + group, acts); return; }
        post({ 'do': 'restore', stick: stick, phrase: digits + group }, acts);
      }
    });
  }

  Desk.add({
    name: 'swap', order: 95, title: 'swap', about: 'swap_about', load: '/api/desk/swap', footer: 'keys_desk',
    icon: 'M4 8h13m0 0l-4-4m4 4l-4 4M20 16H7m0 0l4-4m-4 4l4 4',
    draw: function (main, told, acts) {
      if (!told) { return []; }
      var state = told.state, rows = [];
      window.clearTimeout(timer);
      if (state.at === 'busy') {
        timer = window.setTimeout(function () { acts.again(); }, AGAIN_MS);
        main.appendChild(el('p', 'desk-verdict', TV.say(state.what === 'export' ? 'swap_busy_export' : 'swap_busy_restore')));
        return [];
      }
      if (state.at === 'done' && state.phrase) {
        main.appendChild(el('p', 'desk-verdict good', TV.say('swap_phrase')));
        main.appendChild(el('p', 'swap-phrase', state.phrase));
        main.appendChild(el('p', 'desk-also', TV.say('swap_wrote', state.batches, state.evidence)));
        var done = stop('swap-leave', 'button', function () { forget(acts); }, [el('span', '', TV.say('swap_leave'))]);
        main.appendChild(el('div', 'swap-deeds', null, done));
        return [[done]];
      }
      if (state.at === 'done') { main.appendChild(el('p', 'desk-verdict good', TV.say('swap_restored', state.log_lines, state.people, state.batches))); }
      if (state.at === 'failed') { main.appendChild(el('p', 'desk-verdict poor', failure(state))); }
      if (told.carried) { main.appendChild(el('p', 'desk-also', TV.say('swap_waiting', told.carried))); }
      if (!told.sticks.length) {
        main.appendChild(el('p', 'desk-verdict', TV.say('swap_no_stick')));
        var again = stop('swap-again', 'button', function () { acts.again(); }, [el('span', '', TV.say('swap_again'))]);
        main.appendChild(el('div', 'swap-deeds', null, again));
        return [[again]];
      }
      var left = el('div', 'desk-half'), right = el('div', 'desk-half');
      left.appendChild(el('h2', '', TV.say('swap_old')));
      left.appendChild(el('p', 'desk-also', TV.say('swap_old_say')));
      right.appendChild(el('h2', '', TV.say('swap_new')));
      right.appendChild(el('p', 'desk-also', TV.say('swap_new_say')));
      told.sticks.forEach(function (stick, i) {
        var row = [stop('swap-export-' + i, 'button', function () { post({ 'do': 'export', stick: i }, acts); }, [el('span', '', TV.say('swap_export', stick.name))])];
        left.appendChild(row[0]);
        if (!stick.found.word && stick.found.ours) {
          row.push(stop('swap-restore-' + i, 'button', function () { askGroup(i, '', acts); }, [el('span', '', TV.say('swap_restore', stick.name))]));
          right.appendChild(row[1]);
        }
        right.appendChild(el('p', 'desk-also', about(stick.found) || failure(stick.found)));
        rows.push(row);
      });
      main.appendChild(el('div', 'desk-halves', null, left, right));
      return rows;
    }
  });
}());
