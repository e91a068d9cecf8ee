//! Runs the package `schedules/`, which the root builds only when it is tested.

use std::path::Path;
use std::process::Command;

#[test]
fn every_schedule_of_loads_keeps_the_rules() {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let run = Command::new(env!("CARGO"))
        .args(["test", "--locked", "-p", "tower-fhir-auth-schedules", "--target-dir"])
        .arg(target)
        .current_dir(root)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}{complaint}");
    // A package without tests would succeed, too.
    assert!(told.contains("refreshes::no_wake_up_is_lost_and_one_load_is_shared ... ok"), "{told}");
}
