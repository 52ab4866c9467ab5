"""Copy a store into another one; what the other can't hold is told before anything is written."""

import storebridge

with storebridge.open("local:shop.db") as old, storebridge.open("local:new.db") as new:
    plan = new.plan(old, "copy.plan", stock=True)
    for lack in plan.fit():
        print(f"{lack.kind} {lack.label}: {lack.field} can't be held: {lack.message}")
    report = plan.apply()
    print(report)
    for item in report.items("failed", "unknown", "skipped"):
        print(item.label, item.message, item.remedy)
