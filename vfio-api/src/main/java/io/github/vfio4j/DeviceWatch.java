package io.github.vfio4j;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * Hears the kernel ask for a device (REQ) and report its errors (ERR). The first to take an event's count keeps it for all
 * others, in a flag that stays.
 */
final class DeviceWatch {
    private final Device device;
    private final Notice request = new Notice();
    private final Notice error = new Notice();
    private final CountDownLatch ended = new CountDownLatch(1);

    DeviceWatch(Device device) {
        this.device = device;
    }

    /** Arms what the device has. The device's lock is not held. */
    void arm() {
        request.arm(PciIrq.REQ);
        error.arm(PciIrq.ERR);
    }

    boolean requested() {
        return request.came();
    }

    boolean failed() {
        return error.came();
    }

    void onRequest(Duration time, Consumer<DeviceRequest> handler) {
        request.onFirst(() -> {
            DeviceRequest asked = new DeviceRequest(device, deadline(Instant.now(), time));
            Thread.ofPlatform().daemon().name("vfio4j-" + device.name() + "-asked-back").start(() -> closeAfter(time));
            handler.accept(asked);
        });
    }

    /** The end of a time, however long that is. */
    private static Instant deadline(Instant now, Duration time) {
        return time.compareTo(Duration.between(now, Instant.MAX)) < 0 ? now.plus(time) : Instant.MAX;
    }

    void onError(Consumer<Device> handler) {
        error.onFirst(() -> handler.accept(device));
    }

    /** The device was closed. */
    void end() {
        ended.countDown();
    }

    /** The program enables an index itself and hears of it by its own interrupt from then on. The device's lock is held. */
    void giveUp(Irq irq) {
        request.giveUp(irq);
        error.giveUp(irq);
    }

    /** The program could not enable it. The device's lock is held. */
    void takeBack(Irq irq) {
        request.takeBack(irq);
        error.takeBack(irq);
    }

    private void closeAfter(Duration time) {
        try {
            if (!ended.await(TimeUnit.NANOSECONDS.convert(time), TimeUnit.NANOSECONDS)) {
                device.close();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // nobody has this thread to interrupt it
        }
    }

    /** One of the two. */
    private final class Notice {
        private final AtomicBoolean handled = new AtomicBoolean();
        private volatile Interrupt armed; // null where the device has none, or the program has it
        private volatile boolean came;
        private Irq givenUp; // guarded by the device's lock
        private volatile Runnable handler;

        void arm(PciIrq which) {
            if (which.index() >= device.info().irqs()) {
                return;
            }
            Irq irq;
            try {
                irq = device.irq(which);
            } catch (VfioException e) {
                if (e.errno().equals(Errno.EINVAL)) {
                    return; // only PCI Express has ERR
                }
                throw e;
            }
            if (irq.info().count() == 1) {
                armed = irq.arm(0, 1).get(0);
            }
        }

        boolean came() {
            Interrupt mine = armed;
            if (!came && mine != null && mine.take() > 0) {
                came = true;
                mine.event.write(); // for a handler, which would not hear of it otherwise
            }
            return came;
        }

        void onFirst(Runnable call) {
            Interrupt mine = armed;
            if (mine == null) {
                throw new UnsupportedOperationException(
                        device.name() + " does not report this, or the program enabled the interrupt itself");
            }
            handler = call;
            hear(mine);
        }

        private void hear(Interrupt mine) {
            mine.onInterrupt((_, _) -> {
                came = true;
                if (handled.compareAndSet(false, true)) {
                    handler.run();
                }
            });
        }

        void giveUp(Irq irq) {
            Interrupt mine = armed;
            if (mine != null && mine.interrupts().irq() == irq) {
                armed = null;
                givenUp = irq;
                mine.interrupts().close();
            }
        }

        void takeBack(Irq irq) {
            if (givenUp == irq) {
                givenUp = null;
                armed = irq.arm(0, 1).get(0);
                if (handler != null) {
                    hear(armed);
                }
            }
        }
    }
}
