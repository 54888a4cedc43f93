from protocol.faults import FAULT_NAMES, SeenFault


def test_every_fault_has_a_name_in_both_languages_and_none_stands_beside_the_table():
    assert set(FAULT_NAMES) == set(SeenFault)
    assert all(name.zh and name.en for name in FAULT_NAMES.values())
    assert len({name.zh for name in FAULT_NAMES.values()}) == len(SeenFault) == 6
