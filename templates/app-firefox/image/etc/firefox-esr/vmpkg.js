// What policies.json has no word for. A disposable browser of one user, without a graphics card, in little memory.

// No connection that the user did not ask for, but for the lists that protect the user: revoked certificates, blocked
// extensions, Safe Browsing.
pref("app.normandy.enabled", false);
pref("dom.push.connection.enabled", false);
pref("extensions.getAddons.cache.enabled", false);
pref("geo.enabled", false);
pref("network.connectivity-service.enabled", false);
pref("network.dns.disableIPv6", true);
pref("network.trr.mode", 5);

// The processor draws, in the main process.
pref("gfx.webrender.software", true);
pref("layers.gpu-process.enabled", false);
pref("media.rdd-process.enabled", false);
pref("toolkit.cosmeticAnimations.enabled", false);
pref("ui.prefersReducedMotion", 1);

// No process in advance.
pref("dom.ipc.processPrelaunch.enabled", false);
pref("dom.ipc.processCount", 2);
pref("browser.tabs.remote.warmup.enabled", false);

// Nothing to come back to.
pref("browser.cache.disk.enable", false);
pref("browser.sessionstore.resume_from_crash", false);
pref("browser.aboutwelcome.enabled", false);
pref("datareporting.policy.dataSubmissionEnabled", false);
pref("toolkit.telemetry.reportingpolicy.firstRun", false);
