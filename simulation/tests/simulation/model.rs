//! The model's files, and beside them what happens to a process.

#[path = "../../../domain/src/model/account.rs"]
mod account;
#[path = "../../../domain/src/model/calm.rs"]
mod calm;
#[path = "../../../domain/src/model/chance.rs"]
mod chance;
#[path = "../../../domain/src/model/exchange.rs"]
mod exchange;
#[path = "../../../domain/src/model/fraction.rs"]
mod fraction;
#[path = "../../../domain/src/model/keeping.rs"]
mod keeping;
#[path = "../../../domain/src/model/leading.rs"]
mod leading;
#[path = "../../../domain/src/model/oracle.rs"]
mod oracle;
#[path = "../../../domain/src/model/policies.rs"]
mod policies;
#[path = "../../../domain/src/model/sending.rs"]
mod sending;
#[path = "../../../domain/src/model/serving.rs"]
mod serving;
#[path = "../../../domain/src/model/speak.rs"]
mod speak;
#[path = "../../../domain/src/model/steps.rs"]
mod steps;
#[path = "../../../domain/src/model/storing.rs"]
mod storing;
#[path = "../../../domain/src/model/tally.rs"]
mod tally;
#[path = "../../../domain/src/model/telling.rs"]
mod telling;
#[path = "../../../domain/src/model/token.rs"]
mod token;
#[path = "../../../domain/src/model/world.rs"]
mod world;

mod copier;
mod coverage;
mod day;
mod keeper;
mod limits;
mod lives;
mod nights;
mod rows;
mod runs;
