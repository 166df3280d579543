// A photo from the camera: with the dialog where there is a mouse, else with the camera program of the phone.

/** Whether the browser shows a camera on this page; it does so on https and on this machine only. */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia) && !matchMedia("(pointer: coarse)").matches;
}

/**
 * Let the user take a photo.
 * @param {{dialog: HTMLDialogElement, video: HTMLVideoElement, shutter: HTMLElement, close: HTMLElement}} parts
 * @returns {Promise<File | null>} `null` if the dialog was closed.
 * @throws {DOMException} If there is no camera, or it may not be used.
 */
export async function takePhoto({ dialog, video, shutter, close }) {
  const ideal = { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: ideal });
  const listening = new AbortController();
  const { signal } = listening;
  try {
    video.srcObject = stream;
    dialog.showModal();
    await video.play();
    const isTaken = await new Promise((resolve) => {
      shutter.addEventListener("click", () => resolve(true), { signal });
      close.addEventListener("click", () => resolve(false), { signal });
      dialog.addEventListener("close", () => resolve(false), { signal });
    });
    return isTaken ? await frameOf(video) : null;
  } finally {
    listening.abort();
    dialog.close();
    video.srcObject = null;
    stream.getTracks().forEach((track) => track.stop());
  }
}

async function frameOf(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
