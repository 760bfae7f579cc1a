//! Finished work on its way to the target: handed in, queued, tested, landed or set aside.

pub mod approval;
pub mod aside;
pub mod awake;
pub mod bench;
pub mod done;
pub mod fold;
pub mod land;
pub mod landing;
pub mod links;
pub mod progress;
pub mod queue;
pub mod refinery;
pub mod submit;
pub mod testing;
