//! A Dhan anyone can run: accounts, option instruments, prices from a seed, a matching engine, margins and limits.
//!
//! [`exchange`] is the pure core: it knows no sockets and no wall clock. The server around it speaks the wire.

mod broker;
pub mod clock;
mod control;
pub mod exchange;
mod faults;
mod server;
mod settings;
mod simulator;
mod stream;

pub use broker::records::{FrameRecord, RequestRecord};
pub use clock::{ClockControl, Rate, Run};
pub use faults::{AnswerFault, Down, Fault, LoginRefusal, Operation};
pub use settings::{Casing, SimAccount, SimCarried, SimDepth, SimSettings, SimVariants, TokenFace};
pub use simulator::{AccountDescription, Books, Description, Faults, SimError, Simulator};
pub use stream::delivery::{JoinStyle, Mute};
