"""Bring a catalogue file into a store: look first, then apply, then see that nothing is left."""

import storebridge

with storebridge.open("local:shop.db") as store:
    plan = store.plan("catalogue.csv", "catalogue.plan")
    print(plan)
    for row in plan.rows():
        print(f"{row['record']}: {row['field']} {row['before']} -> {row['after']}")
    print(plan.apply())
    again = store.plan("catalogue.csv", "again.plan")
    print("nothing left to do" if again.is_empty else again)
